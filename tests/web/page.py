"""A player in a browser: what they do with the page, and what they see and hear of it."""

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import ConsoleMessage, Page, expect

from tests.gateway.web.client import WebClient

PATIENCE_MS = 20_000
PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 640}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2,
}  # fmt: skip
PASSWORD = "open sesame"
expect.set_options(timeout=PATIENCE_MS)

Friend = Callable[..., WebClient]
"""Lets somebody else come, with another program: of this name, with an account unless `create` is False."""


class Browser:
    """The page, open in a tab.

    Attributes:
        page: Playwright's.
        errors: What the browser complained of: exceptions, and what the page's policy forbids.
    """

    def __init__(self, page: Page, address: tuple[str, int]) -> None:
        self.page, self.address = page, address
        self.errors: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._console)

    def _console(self, message: ConsoleMessage) -> None:
        if re.search("Content Security|Trusted|violat|Uncaught", message.text):
            self.errors.append(message.text)

    # --- doing ---

    def opens(self) -> "Browser":
        """Load the page, and wait for the greeting."""
        self.page.goto("http://{}:{}/".format(*self.address))
        expect(self.page.locator("#prompt")).to_contain_text("Name")
        return self

    def logs_in(self, name: str, *, create: bool = True) -> "Browser":
        """Make a character, and wait until it plays."""
        self.types(f"{'create' if create else 'connect'} {name} {PASSWORD}")
        expect(self.page.locator("#place-name")).to_have_text("The Street")
        expect(self.page.locator("#prompt")).to_contain_text("hp>")
        return self

    def types(self, *lines: str) -> None:
        """Type lines, each with Enter."""
        for line in lines:
            self.page.locator("#input").fill(line)
            self.page.locator("#input").press("Enter")

    def pastes(self, text: str) -> None:
        """Paste into the input, as Ctrl+V does."""
        self.page.locator("#input").focus()
        self.page.evaluate("(text) => navigator.clipboard.writeText(text)", text)
        self.presses("Control+v")

    def presses(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        for key in keys:
            self.page.keyboard.press(key)

    # --- seeing ---

    def sees(self, text: str) -> None:
        """Wait until a line has `text`."""
        expect(self.page.locator("#lines")).to_contain_text(text)

    @property
    def lines(self) -> list[str]:
        """All lines of text."""
        return self.page.locator("#lines .line").all_text_contents()

    def count(self, text: str) -> int:
        """How many lines have `text`."""
        return sum(text in line for line in self.lines)

    @property
    def heard(self) -> list[str]:
        """What a screen reader was given to read."""
        return self.page.locator("#announcer p").all_text_contents()

    @property
    def value(self) -> str:
        """What stands in the input."""
        return self.page.locator("#input").input_value()

    @property
    def focus(self) -> str:
        """The id of what has the focus, or its text."""
        found: str = self.page.evaluate("() => document.activeElement.id || document.activeElement.textContent.trim()")
        return found

    def state(self, name: str) -> None:
        """Wait until the connection is open, waiting, or stopped."""
        expect(self.page.locator("#state")).to_have_attribute("data-state", name)

    def stored(self, storage: str) -> dict[str, Any]:
        """What the page keeps in localStorage or sessionStorage."""
        found: dict[str, Any] = self.page.evaluate(f"() => ({{...{storage}}})")
        return found
