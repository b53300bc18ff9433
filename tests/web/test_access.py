"""The page for those who listen to it, who have no mouse, or who hold it in one hand."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.web.page import PHONE, Browser, Friend

TO_THE_TOP = """() => {
  document.body.tabIndex = -1;
  document.body.focus();
  document.body.removeAttribute("tabindex");
}"""
SIZES = """() => ["#scrollback", "#prompt", "#state", "#place-name", "#exits button", "#vitals", "#open-settings"]
  .map((part) => parseFloat(getComputedStyle(document.querySelector(part)).fontSize))"""
SMALL = """() => [...document.querySelectorAll("button, input, select, a.send")].filter((element) => {
  const { width, height } = element.getBoundingClientRect();
  return element.checkVisibility() && !element.matches(".line a") && (width < 24 || height < 24);
}).map((element) => element.id || element.textContent)"""


def test_new_text_is_read_once_and_what_was_typed_is_not(ada: Browser, friend: Friend, name: str) -> None:
    """The live region only grows; the typed line is what the player knows already."""
    bob = friend(f"{name}bob")
    log = ada.page.get_by_role("log")
    expect(log).to_have_attribute("aria-live", "polite")
    expect(log).to_have_attribute("aria-relevant", "additions")
    ada.types("say hello")
    ada.sees('You say, "hello"')
    bob.types("say good day")
    ada.sees(f'{name}bob says, "good day"')
    assert "say hello" not in ada.heard
    assert ada.heard.count('You say, "hello"') == ada.heard.count(f'{name}bob says, "good day"') == 1


def test_a_flood_is_not_read_to_its_end(ada: Browser) -> None:
    """Nobody listens to two thousand lines: it is said that there were more, and the last ones are read."""
    ada.types("burst 2000")
    ada.sees("line 2000 of 2000")
    assert ada.heard[-1] == "line 2000 of 2000"
    assert len(ada.heard) <= 120


def test_login_prompts_are_read_and_the_games_are_not(ada: Browser) -> None:
    """Whoever logs in must hear what is asked; a prompt with every line would be noise."""
    ada.types("hp 19")
    expect(ada.page.locator("#prompt")).to_have_text("19 hp> ")
    assert any(line.startswith("Name") for line in ada.heard)
    assert not [line for line in ada.heard if "hp>" in line]


def test_everything_can_be_done_by_keyboard(ada: Browser) -> None:
    """Tab reaches each thing in the order of the page, the focus is visible, and Escape leads back to the input."""
    page = ada.page
    page.evaluate(TO_THE_TOP)
    order = []
    for _ in range(14):
        ada.presses("Tab")
        order.append(ada.focus)
        outlined = page.evaluate("""() => {
          const shown = document.activeElement.closest(".field") ?? document.activeElement;
          const style = getComputedStyle(shown), own = getComputedStyle(document.activeElement);
          return own.outlineStyle !== "none" || style.boxShadow !== "none";
        }""")
        assert outlined, order[-1]
        if order[-1] == "arena" and "send" in order:
            break
    assert order[:3] == ["skip", "open-settings", "scrollback"]
    assert order[3:] == ["lantern", "north", "arena", "input", "send", "N", "arena"]
    ada.presses("Escape")
    assert ada.focus == "input"


def test_the_skip_link_leads_to_the_input(ada: Browser) -> None:
    """The first stop of the page, seen when it has the focus."""
    ada.page.locator("#skip").focus()
    expect(ada.page.locator("#skip")).to_be_in_viewport()
    ada.presses("Enter")
    assert ada.focus == "input"


def test_typing_anywhere_goes_to_the_input(ada: Browser) -> None:
    """Whoever scrolled with the keys just types on."""
    ada.page.locator("#scrollback").focus()
    ada.presses("l", "o")
    assert ada.focus == "input"
    assert ada.value == "lo"


@pytest.mark.parametrize("width", [320, 360])
def test_a_phone_shows_everything_without_scrolling_sideways(
    tab: Callable[..., Browser], name: str, width: int
) -> None:
    """The input is in sight, so are exits and vitals; a tap hits; and no browser zooms into the field (16 px)."""
    ada = tab(**{**PHONE, "viewport": {"width": width, "height": 640}}).opens().logs_in(name)
    page = ada.page
    ada.types("say " + "unbreakable" * 12)
    ada.types("rainbow")
    ada.sees("plain")
    assert page.evaluate("() => [document.documentElement.scrollWidth, document.body.scrollWidth]") == [width, width]
    assert page.locator("#scrollback").evaluate("(e) => e.scrollWidth - e.clientWidth") == 0
    for part in ("#input", "#send", "#exits", "#vitals", "#place-name", "#open-settings"):
        expect(page.locator(part)).to_be_in_viewport(ratio=1)
    assert page.locator("#input").evaluate("(e) => parseFloat(getComputedStyle(e).fontSize)") >= 16
    assert page.evaluate(SMALL) == []


def reads_larger(page: Page, px: int) -> None:
    """What a browser's own setting of the size of text does; 16 is usual."""
    sizes = {"standard": px, "fixed": px}
    page.context.new_cdp_session(page).send("Page.setFontSizes", {"fontSizes": sizes})


def test_text_is_as_large_as_the_browser_is_told(tab: Callable[..., Browser], name: str) -> None:
    """All of it, and not the game's alone; at twice the size the page is laid out as on a smaller screen."""
    ada = tab(viewport={"width": 1600, "height": 1000}).opens().logs_in(name)
    page = ada.page
    usual = page.evaluate(SIZES)
    reads_larger(page, 24)
    assert page.evaluate(SIZES) == [size * 1.5 for size in usual]
    reads_larger(page, 32)
    page.set_viewport_size({"width": 720, "height": 900})
    page.get_by_role("button", name="Settings").click()
    for part in ("html", "#scrollback", "#settings"):
        assert page.locator(part).evaluate("(e) => e.scrollWidth - e.clientWidth") == 0
    expect(page.locator("#input")).to_be_in_viewport(ratio=1)


def test_the_input_stays_above_a_phones_keyboard(tab: Callable[..., Browser], name: str) -> None:
    """With half of the window gone, the input and the newest line are in sight."""
    ada = tab(**PHONE).opens().logs_in(name)
    ada.types("burst 60")
    ada.sees("line 60 of 60")
    ada.page.set_viewport_size({"width": 360, "height": 330})
    expect(ada.page.locator("#input")).to_be_in_viewport(ratio=1)
    expect(ada.page.locator("#lines").get_by_text("line 60 of 60", exact=True)).to_be_in_viewport()


def test_a_page_without_its_scripts_says_so(tab: Callable[..., Browser], name: str) -> None:
    """One that was not served would otherwise leave a page that does nothing, for ever."""
    ada = tab()
    ada.page.route("**/sgr.js", lambda route: route.fulfill(status=503, body="The server is full."))
    ada.page.goto("http://{}:{}/".format(*ada.address))
    unstarted = ada.page.locator("#unstarted")
    expect(unstarted).to_be_hidden()
    expect(unstarted).to_be_visible()
    expect(unstarted).to_contain_text("Reload")
    ada.page.unroute("**/sgr.js")
    ada.opens()
    expect(unstarted).to_have_count(0)
    ada.errors.clear()


def test_a_hidden_tab_goes_on(tab: Callable[..., Browser], name: str, friend: Friend) -> None:
    """A hidden page gets no frames; it shows and acknowledges all the same, and its title counts what came."""
    ada = tab()
    ada.page.add_init_script("Object.defineProperty(document, 'hidden', { get: () => window.away ?? false })")
    ada.opens().logs_in(name)
    bob = friend(f"{name}bob")
    ada.page.evaluate("() => { window.away = true; window.requestAnimationFrame = () => 0; }")
    bob.types("say one", "say two")
    ada.sees(f'{name}bob says, "two"')
    expect(ada.page).to_have_title(f"(2) {name} · Test")
    ada.page.evaluate("() => { window.away = false; document.dispatchEvent(new Event('visibilitychange')); }")
    expect(ada.page).to_have_title(f"{name} · Test")


def test_a_tap_on_an_exit_does_not_bring_up_the_keyboard(tab: Callable[..., Browser], name: str) -> None:
    """Walking by taps needs no input."""
    ada = tab(**PHONE).opens().logs_in(name)
    ada.page.evaluate("() => document.activeElement.blur()")
    ada.page.locator("#exits button").first.tap()
    expect(ada.page.locator("#place-name")).to_have_text("The Leaking Ladle")
    assert ada.focus != "input"
