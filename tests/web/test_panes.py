"""What stands beside the text: the place, the exits, the condition, and who is here."""

from playwright.sync_api import expect

from tests.web.page import Browser


def test_the_place_is_named_and_its_exits_lead_on(ada: Browser) -> None:
    """Directions stand as on a compass, other exits under their names; an exit sends its name, as the game has it."""
    page = ada.page
    expect(page.locator("#place-area")).to_have_text("Stage")
    expect(page.locator("#exits button")).to_have_text(["N", "arena"])
    page.get_by_role("button", name="north", exact=True).last.click()
    expect(page.locator("#place-name")).to_have_text("The Leaking Ladle")
    expect(page.locator("#exits button")).to_have_text(["S", "down"])
    expect(page.locator(".typed").last).to_have_text("n")


def test_walking_by_keyboard_keeps_the_focus_on_the_exits(ada: Browser) -> None:
    """The buttons change with the place; who walks with them is not thrown back to the page's beginning."""
    exits = ada.page.locator("#exits button")
    exits.first.focus()
    ada.presses("Enter")
    expect(ada.page.locator("#place-name")).to_have_text("The Leaking Ladle")
    expect(exits.first).to_be_focused()
    ada.presses("Enter")
    expect(ada.page.locator("#place-name")).to_have_text("The Street")


def test_vitals_are_bars_that_can_be_read(ada: Browser) -> None:
    """A value with its maximum is a meter with a name and words; others are a name and a value."""
    meter = ada.page.get_by_role("meter", name="hp")
    expect(meter).to_have_attribute("aria-valuetext", "20 of 20")
    expect(ada.page.locator(".fact")).to_have_text("coins7")
    ada.types("hp 4")
    expect(meter).to_have_attribute("aria-valuetext", "4 of 20")
    expect(meter).to_have_class("bar low")
    expect(ada.page.locator("#prompt")).to_have_text("4 hp> ")


def test_who_is_here_is_listed(ada: Browser, name: str) -> None:
    """By their full names."""
    expect(ada.page.locator("#who-list")).to_contain_text(f"{name} the Actor")
