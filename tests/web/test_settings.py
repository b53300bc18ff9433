"""What a player chooses for this browser, and what the system asks for."""

from collections.abc import Callable

from playwright.sync_api import expect

from tests.web.page import Browser


def test_settings_hold_at_once_and_after_a_reload(ada: Browser) -> None:
    """Size, typeface, colours, contrast and motion are the browser's, and kept there."""
    page = ada.page
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Size").fill("22")
    page.get_by_label("Typeface").select_option("Serif")
    page.get_by_label("Colours").select_option("Dark")
    page.get_by_label("More contrast").check()
    page.get_by_label("Less motion").check()
    page.get_by_role("button", name="Done").click()
    expect(page.locator("#input")).to_be_focused()
    for _ in range(2):
        style = page.locator("#scrollback").evaluate("(e) => getComputedStyle(e).fontSize")
        root = page.locator("html")
        assert style == "22px"
        expect(root).to_have_attribute("data-font", "serif")
        expect(root).to_have_attribute("data-contrast", "more")
        expect(root).to_have_attribute("data-motion", "less")
        assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(0, 0, 0)"
        page.reload()
        ada.state("open")
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("button", name="Reset").click()
    expect(page.locator("html")).to_have_attribute("data-font", "mono")
    assert "perdure.settings" not in ada.stored("localStorage")


def test_screen_reader_mode_is_the_games_too(ada: Browser) -> None:
    """The server writes in another way from there: this game's prompt goes. `set` brings the page along (FM-29)."""
    page = ada.page
    expect(page.locator("#prompt")).to_have_text("20 hp> ")
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Screen-reader mode").check()
    ada.presses("Escape")
    ada.types("look")
    expect(page.locator("#prompt")).to_be_hidden()
    expect(page.locator("html")).to_have_attribute("data-screenreader", "true")
    ada.types("set screenreader off")
    expect(page.locator("#prompt")).to_have_text("20 hp> ")
    expect(page.locator("#prompt")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("data-screenreader", "false")


def test_screen_reader_mode_is_told_from_the_beginning(tab: Callable[..., Browser], name: str) -> None:
    """A browser where it was chosen says so when it connects; no click is needed. The prompt comes when it ends."""
    ada = tab()
    ada.page.add_init_script("""localStorage.setItem("perdure.settings", '{"screenreader":true}')""")
    ada.opens()
    ada.types(f"create {name} open sesame")
    ada.sees("The Street")
    expect(ada.page.locator("#place-name")).to_have_text("The Street")
    expect(ada.page.locator("#prompt")).to_be_hidden()
    ada.types("set screenreader off")
    expect(ada.page.locator("#prompt")).to_have_text("20 hp> ")
    expect(ada.page.locator("#prompt")).to_be_visible()


def test_the_systems_wishes_hold_until_the_player_chooses(tab: Callable[..., Browser]) -> None:
    """prefers-color-scheme, prefers-contrast and prefers-reduced-motion."""
    page = tab(color_scheme="light", reduced_motion="reduce").opens().page
    assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(250, 248, 244)"
    expect(page.locator("html")).to_have_attribute("data-motion", "less")
    page.emulate_media(color_scheme="dark", reduced_motion="no-preference", contrast="more")
    expect(page.locator("html")).to_have_attribute("data-motion", "full")
    expect(page.locator("html")).to_have_attribute("data-contrast", "more")
    assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(0, 0, 0)"


def test_less_motion_is_none(tab: Callable[..., Browser], name: str) -> None:
    """Nothing on the page moves by itself then (WCAG 2.3.3)."""
    ada = tab(reduced_motion="reduce").opens().logs_in(name)
    moving = ada.page.evaluate("""() => [...document.querySelectorAll("*")].flatMap((element) =>
      ["", "::before", "::after"].map((part) => getComputedStyle(element, part))).filter((style) =>
      style.animationName !== "none" || style.transitionDuration.split(", ").some(parseFloat)).length""")
    assert moving == 0
