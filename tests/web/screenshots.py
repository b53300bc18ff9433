"""Takes the pictures of docs/how-to/web.md: python -m tests.web.screenshots"""

import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser as Chromium
from playwright.sync_api import expect, sync_playwright

from tests.e2e.server import ROOT, serving
from tests.web.conftest import ARGUMENTS, chromium_path
from tests.web.net import Net
from tests.web.page import PASSWORD, PHONE, Browser

IMAGES = ROOT / "docs" / "images"
DESKTOP = {"viewport": {"width": 1120, "height": 680}}


def main() -> None:
    """Two play in the example, and are drawn."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder)) as server,
        sync_playwright() as playwright,
    ):
        host, port = server.ask("status")["listening"]["web"][0]
        net = Net((host, port))
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
        try:
            draw(browser, net)
        finally:
            browser.close()
            net.close()


def draw(browser: Chromium, net: Net) -> None:
    """Ada at a desk, Bob with a phone."""
    ada = comes(browser, "Ada", net, color_scheme="dark", **DESKTOP)
    bob = comes(browser, "Bob", net, color_scheme="light", **{**PHONE, "device_scale_factor": 1})
    ada.types("north", "look", "south")
    expect(ada.page.locator("#place-name")).to_have_text("The Square")
    bob.types("say Is there soup?")
    ada.sees('Bob says, "Is there soup?"')
    ada.types("say There is always soup.")
    bob.sees('Ada says, "There is always soup."')
    ada.page.locator("#input").fill("examine la")
    ada.presses("Tab")
    saves(ada, "web-dark")
    ada.presses("Escape")
    ada.page.locator("#input").fill("")
    ada.page.emulate_media(color_scheme="light")
    saves(ada, "web-light")
    bob.types("look", "inventory")
    bob.sees("You carry")
    saves(bob, "web-phone")
    net.cut()
    expect(ada.page.locator("#trouble")).to_be_visible()
    ada.types("say I am still here.")
    saves(ada, "web-lost")
    net.heal()
    ada.state("open")
    listens(ada)
    saves(ada, "web-screen-reader")


def listens(ada: Browser) -> None:
    """With screen-reader mode, more contrast and a larger text."""
    page = ada.page
    page.emulate_media(color_scheme="dark")
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Size").fill("20")
    page.get_by_label("More contrast").check()
    page.get_by_label("Screen-reader mode").check()
    page.get_by_role("button", name="Done").click()
    ada.types("look", "weather")
    expect(page.locator("#prompt")).to_be_hidden()
    expect(page.locator(".typed").last).to_have_text("weather")
    expect(page.locator("#lines .line").last).not_to_have_text("weather")


def comes(browser: Chromium, name: str, net: Net, **context: Any) -> Browser:
    """A player who plays."""
    player = Browser(browser.new_context(**context).new_page(), net.address).opens()
    player.types(f"create {name} {PASSWORD}")
    expect(player.page.locator("#place-name")).to_have_text("The Square")
    return player


def saves(player: Browser, name: str) -> None:
    """Draw what they see."""
    IMAGES.mkdir(exist_ok=True)
    player.page.screenshot(path=IMAGES / f"{name}.png", animations="disabled", caret="hide")


if __name__ == "__main__":
    main()
