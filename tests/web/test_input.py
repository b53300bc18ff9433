"""The line that the player types: earlier lines, completion, and what is typed unseen."""

from collections.abc import Callable

from playwright.sync_api import expect

from tests.web.net import Net
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
    assert ada.lines.count("") == 1  # the greeting's: lines that are not shown leave no empty ones
    ada.presses("ArrowUp", "ArrowUp", "ArrowUp")
    assert ada.value == "look"


def test_a_link_is_not_taken_for_a_password(ada: Browser, name: str) -> None:
    """Those of an earlier visit stay in the text, and send nothing while something is typed unseen."""
    ada.types("quit")
    ada.page.get_by_role("button", name="Play again").click()
    expect(ada.page.locator("#prompt")).to_contain_text("Name")
    ada.types(name)
    expect(ada.page.locator("#prompt")).to_contain_text("Password")
    ada.page.get_by_role("button", name="lantern").first.click()
    ada.types(PASSWORD)
    expect(ada.page.locator("#place-name")).to_have_text("The Street")


def test_a_password_on_the_line_is_not_shown(tab: Callable[..., Browser], name: str) -> None:
    """Some type it behind their name, and not every word before that is right; the page shows dots."""
    ada = tab().opens()
    ada.types("set wrap 40", f"conect {name} {PASSWORD}", f"new {name} short")
    ada.sees("No character was made.")
    ada.logs_in(name)
    shown = ["set wrap 40", f"conect {name} ••••••", f"new {name} ••••••", f"create {name} ••••••"]
    expect(ada.page.locator(".typed")).to_have_text(shown)
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
    expect(ada.page.locator("#prompt")).to_contain_text("Name")
    assert ada.lines.count("") == 1


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


def test_tab_completes_ways_and_links_and_no_quotes(ada: Browser) -> None:
    """The game says n for north, links say what can be typed, and a quote behind a word is not the word's."""
    ada.types("say not 'northbound' nor notable", "costume")
    ada.sees("A hat and a coat.")
    field = ada.page.locator("#input")
    for typed, completed in (("n", "north"), ("northb", "northbound"), ("we", "wear")):
        field.fill(typed)
        ada.presses("Tab")
        assert ada.value == completed


def test_several_lines_are_pasted_as_several_lines(ada: Browser) -> None:
    """In order, with what stood there before; what has no line end stays to be typed on."""
    ada.page.locator("#input").fill("say ")
    ada.pastes("one\r\nsay two\nsay three\n\nsay fo")
    assert ada.value == "say fo"
    ada.page.locator("#input").press_sequentially("ur")
    ada.presses("Enter")
    ada.sees('You say, "four"')
    assert [line for line in ada.lines if "You say" in line] == [
        f'You say, "{word}"' for word in ("one", "two", "three", "four")
    ]
    assert ada.value == ""


def test_one_line_that_is_pasted_is_not_sent(ada: Browser) -> None:
    """With its line end or without: whoever pastes it may look at it first."""
    ada.pastes("say one\n")
    assert ada.value.strip() == "say one"
    assert ada.page.locator(".typed", has_text="say one").count() == 0


def test_a_long_paste_arrives_wholly_and_in_order(ada: Browser, net: Net) -> None:
    """More lines than may be on their way at once, through a loss of network, and with a line typed behind (FM-13)."""
    ada.pastes("".join(f"say {n}\n" for n in range(700)))
    net.cut()
    net.heal()
    ada.sees('You say, "699"')
    ada.types("say last")
    ada.sees('You say, "last"')
    said = [f'You say, "{n}"' for n in [*range(700), "last"]]
    assert [line for line in ada.lines if "You say" in line] == said
    expect(ada.page.locator(".typed.waiting")).to_have_count(0)


def test_what_does_not_fit_is_not_cut(ada: Browser) -> None:
    """Too many lines, or too long ones: it is said, nothing of it is sent, and what can be corrected stands there."""
    note = ada.page.locator("#note")
    ada.pastes("say x\n" * 1001)
    expect(note).to_contain_text("no more than 1000 lines")
    assert ada.heard[-1] == note.text_content()
    ada.pastes("é" * 2049)
    expect(note).to_have_text("Too long: 4098 bytes, and a line has 4096 at most.")
    ada.presses("Enter")
    assert len(ada.value) == 2049
    assert not [line for line in ada.lines if "say x" in line or "é" in line]
    ada.presses("Backspace")
    expect(note).to_be_hidden()
    ada.presses("Enter")
    assert ada.value == ""


def test_what_is_pasted_before_the_login_is_one_line(tab: Callable[..., Browser]) -> None:
    """Its second line would be a password, sent before anything hides it (FM-96)."""
    ada = tab().opens()
    ada.pastes("Ada\nopen sesame\n")
    assert "\n" not in ada.value
    assert ada.page.locator(".typed").count() == 0


def test_a_password_manager_finds_the_name(tab: Callable[..., Browser], name: str) -> None:
    """It stands in a hidden field before the password's, and no password ever does."""
    ada = tab().opens()
    ada.types(name)
    ada.sees("There is no character")
    ada.types("yes")
    expect(ada.page.locator("#input")).to_have_attribute("type", "password")
    assert ada.page.locator("#username").input_value() == name


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
    """The server names the bound, if the page does not know it; the page does not try for ever."""
    ada.page.evaluate("() => { TextEncoder.prototype.encode = () => [] }")
    ada.types("say " + "x" * 5000)
    expect(ada.page.locator(".notice", has_text="longer than")).to_be_visible()
    expect(ada.page.locator(".typed.unsent")).to_have_count(1)
    ada.types("say short")
    ada.sees('You say, "short"')
    assert "x" * 100 not in ada.stored("sessionStorage")["perdure.session"]
