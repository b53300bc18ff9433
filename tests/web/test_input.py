"""The line that the player types: earlier lines, completion, and what is typed unseen."""

from collections.abc import Callable

from playwright.sync_api import expect

from tests.web.page import PASSWORD, Browser


def test_earlier_lines_come_back_by_their_beginning(ada: Browser) -> None:
    """Up goes through the lines that begin as what is typed; Down comes back to that."""
    ada.types("say one", "look", "say two", "say two")
    ada.presses("ArrowUp", "ArrowUp")
    assert ada.value == "look"
    ada.presses("ArrowDown", "ArrowDown")
    assert ada.value == ""
    ada.page.locator("#input").fill("say")
    ada.presses("ArrowUp", "ArrowUp")
    assert ada.value == "say one"
    ada.presses("ArrowUp")
    assert ada.value == "say one"
    ada.presses("ArrowDown", "ArrowDown")
    assert ada.value == "say"


def test_earlier_lines_outlive_a_reload(ada: Browser) -> None:
    """They are kept for this tab."""
    ada.types("say remembered")
    ada.sees('You say, "remembered"')
    ada.page.reload()
    ada.state("open")
    ada.presses("ArrowUp")
    assert ada.value == "say remembered"


def test_a_password_is_nowhere(tab: Callable[..., Browser], name: str) -> None:
    """Typed at the prompt it is hidden, and neither in the text, the earlier lines, a storage, nor read out (FM-96)."""
    ada = tab().opens()
    ada.types(name)
    ada.sees("There is no character")
    ada.types("yes")
    field = ada.page.locator("#input")
    expect(ada.page.locator("#prompt")).to_contain_text("New password")
    expect(field).to_have_attribute("type", "password")
    ada.types(PASSWORD)
    expect(ada.page.locator("#prompt")).to_contain_text("again")
    ada.types(PASSWORD)
    expect(ada.page.locator("#place-name")).to_be_visible()
    expect(field).to_have_attribute("type", "text")
    ada.types("look")
    everything = [
        *ada.lines,
        *ada.heard,
        str(ada.stored("sessionStorage")),
        str(ada.stored("localStorage")),
        ada.page.content(),
    ]
    assert not [text for text in everything if PASSWORD in text]
    ada.presses("ArrowUp", "ArrowUp", "ArrowUp")
    assert ada.value == "look"


def test_a_password_on_the_line_is_not_shown(tab: Callable[..., Browser], name: str) -> None:
    """Some type it behind their name; the page shows dots."""
    ada = tab().opens().logs_in(name)
    expect(ada.page.locator(".typed").first).to_have_text(f"create {name} ••••••")
    ada.presses("ArrowUp")
    assert ada.value == ""


def test_escape_leaves_the_question_for_a_password(tab: Callable[..., Browser], name: str) -> None:
    """And what was typed of it is gone, not shown."""
    ada = tab().opens()
    ada.types(name)
    ada.sees("There is no character")
    ada.types("yes")
    expect(ada.page.locator("#input")).to_have_attribute("type", "password")
    ada.page.locator("#input").fill("half a passw")
    ada.presses("Escape")
    expect(ada.page.locator("#input")).to_have_attribute("type", "text")
    assert ada.value == ""


def test_tab_completes_what_was_seen(ada: Browser, name: str) -> None:
    """Exits and names first, then words of the text; again for the next one; Escape brings back what was typed."""
    ada.types("say lamplight and ladder")
    ada.sees('You say, "lamplight and ladder"')
    field = ada.page.locator("#input")
    field.fill("examine la")
    ada.presses("Tab")
    assert ada.value == "examine ladder"
    expect(ada.page.locator("#completions")).to_have_text("ladderlamplightlantern")
    assert ada.heard[-1] == "ladder"
    ada.presses("Tab", "Tab")
    assert ada.value == "examine lantern"
    ada.presses("Tab")
    assert ada.value == "examine la"
    ada.presses("Tab", "Escape")
    assert ada.value == "examine la"
    expect(ada.page.locator("#completions")).to_be_empty()
    field.fill("nor")
    ada.presses("Tab")
    assert ada.value == "north"
    field.fill(f"wave to {name[:4].lower()}")
    ada.presses("Tab")
    assert ada.value.startswith("wave to Ada")


def test_tab_is_no_trap(ada: Browser) -> None:
    """With nothing to complete it goes on, and so it does after Escape; Shift+Tab always goes back (WCAG 2.1.2)."""
    field = ada.page.locator("#input")
    field.fill("")
    ada.presses("Tab")
    assert ada.focus == "send"
    field.focus()
    field.fill("lan")
    ada.presses("Escape", "Tab")
    assert ada.focus == "send"
    field.focus()
    ada.presses("Shift+Tab")
    assert ada.focus != "input"
    assert ada.value == "lan"


def test_a_line_that_is_too_long_is_not_sent_again(ada: Browser) -> None:
    """The server names the bound; the page does not try for ever."""
    ada.page.locator("#input").evaluate("(e) => e.removeAttribute('maxlength')")
    ada.types("say " + "x" * 5000)
    expect(ada.page.locator(".notice", has_text="longer than")).to_be_visible()
    expect(ada.page.locator(".typed.unsent")).to_have_count(1)
    ada.types("say short")
    ada.sees('You say, "short"')
    assert "x" * 100 not in ada.stored("sessionStorage")["perdure.session"]
