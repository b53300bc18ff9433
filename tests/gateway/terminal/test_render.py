"""A text as one client sees it."""

import re
from urllib.parse import unquote

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import width

from perdure.gateway.look import Colours, Encoding, Look
from perdure.gateway.terminal.render import CACHED_CHARS_MAX, Linked, encode, parts, render, spoken
from perdure.gateway.terminal.sgr import RESET, SGR, TRUECOLOUR, Style
from perdure.markup import LINK, LINK_END, LINK_TEXT, MARKS, link

PLAIN = Look()
LINKS = Look(links=True)
HEARD = Look(screenreader=True)

HOSTILE = st.lists(
    st.one_of(
        st.sampled_from(["\x1b", "\x1b[", "\x1b]0;", "\x1b]8;;http://evil\x1b\\", "\x07", "\x9b", "\x90", "\x9c"]),
        st.sampled_from(["\x1b[1;31m", "\x1b[48;2;1;2;3m", "\x1b[38:5:99m", "\x1b[39m", "\x1b[0m", "[31m", "2J"]),
        st.sampled_from([LINK, LINK_TEXT, LINK_END, link("the big door", "open door"), link("\x1b[1mx", "猫; \\ ?é")]),
        st.sampled_from(["\r", "\n", "\t", "\x00", "\x85", "\u202e", "\u2066", "\u2028", "\u200d", "\ufeff"]),
        st.sampled_from(["some words ", "x" * 30, "猫" * 15, "----", "+--+", "─", "  "]),
        st.text(max_size=5),
    ),
    max_size=20,
).map("".join)
LOOKS = st.builds(
    Look,
    columns=st.sampled_from([0, 20, 33]),
    encoding=st.sampled_from(["utf-8", "latin-1", "ascii"]),
    colours=st.sampled_from([0, 16, 256, TRUECOLOUR]),
    links=st.booleans(),
    screenreader=st.booleans(),
)

OPEN, CLOSE = r"\x1b\]8;;send:[A-Za-z0-9%._~-]+\x1b\\", r"\x1b\]8;;\x1b\\"
SEEN = (
    "(?:[^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufdd0-\ufdef\ufeff\ud800-\udfff]"
    r"|\t|\x1b\[[0-9;]+m)"
)
ALLOWED = re.compile(rf"(?:{SEEN}|{OPEN}{SEEN}*{CLOSE}|\r\n)*")
"""Everything that a terminal is ever sent: no \n in a link, and no link in a link."""


@given(HOSTILE, LOOKS)
def test_whatever_goes_in_only_colours_and_our_own_links_control(text: str, look: Look) -> None:
    """No escape that a player or a game writes reaches a terminal; links are closed on their line (FM-83)."""
    shown = render(text, look)
    assert ALLOWED.fullmatch(shown)
    assert look.links or "\x1b]" not in shown
    assert (look.colours and not look.screenreader) or not SGR.search(shown)


@given(HOSTILE.filter(lambda text: LINK not in text), LOOKS)
def test_a_link_is_never_made_of_raw_text(text: str, look: Look) -> None:
    """An OSC 8 that somebody types is none (FM-83)."""
    assert "\x1b]" not in render(text, look)


@given(HOSTILE, LOOKS)
def test_no_text_leaves_anything_on_for_the_next(text: str, look: Look) -> None:
    """Left-open SGR is closed at the text's end, and only the client's colours are in it."""
    shown = render(text, look)
    style = Style(look.colours)
    assert style.limited(shown) == shown
    assert not style.on


@given(HOSTILE, LOOKS.filter(lambda look: look.columns))
def test_no_line_is_wider_than_the_window(text: str, look: Look) -> None:
    """Letters written otherwise are counted as they are seen."""
    assert all(width(line) <= look.columns for line in render(text, look).split("\r\n"))


@given(HOSTILE, LOOKS)
def test_rendered_text_has_only_letters_that_the_client_knows(text: str, look: Look) -> None:
    """Nothing is left for the last step to replace."""
    assert render(text, look).encode(look.encoding) == encode(render(text, look), look.encoding)


@given(HOSTILE, LOOKS)
def test_parts_are_what_a_terminal_shows_without_wrapping(text: str, look: Look) -> None:
    """A page gets the same text; its links are structure, and no part of it controls (FM-83)."""
    given_parts = parts(text, look)
    joined = "".join(part.text if isinstance(part, Linked) else part for part in given_parts)
    as_terminal = look._replace(columns=0, links=False, encoding="utf-8")
    assert joined.replace("\n", "\r\n") == render(text, as_terminal)
    assert all(part.send.isprintable() and part.text for part in given_parts if isinstance(part, Linked))
    assert look.links or not any(isinstance(part, Linked) for part in given_parts)


@given(st.text("abc xyz.\n", max_size=200), st.sampled_from([0, 20, 80]))
def test_plain_text_is_the_same_on_the_quick_way_and_on_the_long_one(text: str, columns: int) -> None:
    """The quick way for printable ASCII is only that."""
    look = PLAIN._replace(columns=columns)
    assert render(f"{text}\né", look) == f"{render(text, look)}\r\né"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\n", "a\r\nb\r\n"),
        ("Name: ", "Name: "),
        ("\x1b[31mred\n", "\x1b[31mred\x1b[0m\r\n"),
        ("\x1b[31m\x1b[0m", ""),
        ("\x1b[31m", ""),
        ("\n", "\r\n"),
        ("", ""),
        (f"the {link('door', 'open door')}.\n", "the door.\r\n"),
        ("\x1b]8;;send:quit\x1b\\door\x1b]8;;\x1b\\\n", "door\r\n"),
    ],
)
def test_texts_as_a_terminal_is_sent_them(text: str, shown: str) -> None:
    """CR LF line ends, colours closed before the last of them, links as text where there are none (FM-83)."""
    assert render(text, PLAIN) == shown


@pytest.mark.parametrize("sent", ["open door", "say what?config={}", "sag 'grüß; 猫' \\ 100%"])
def test_a_link_sends_exactly_what_the_game_wrote(sent: str) -> None:
    """Everything but letters and digits is escaped, so nothing of it is taken for a parameter or an end."""
    shown = render(f"{link('do', sent)}\n", LINKS)
    found = re.fullmatch(r"\x1b\]8;;send:([A-Za-z0-9%._~-]*)\x1b\\do\x1b\]8;;\x1b\\\r\n", shown)
    assert found
    assert unquote(found[1]) == sent


def test_colours_go_on_inside_links_and_links_inside_colours() -> None:
    """Both may be around the other."""
    text = f"\x1b[32mthe {link(f'{chr(27)}[1mdoor{chr(27)}[22m', 'open')} is green\x1b[39m\n"
    assert render(text, LINKS) == (
        "\x1b[32mthe \x1b]8;;send:open\x1b\\\x1b[1mdoor\x1b[22m\x1b]8;;\x1b\\ is green\x1b[39m\r\n"
    )
    assert parts(text, LINKS) == ("\x1b[32mthe ", Linked("\x1b[1mdoor\x1b[22m", "open"), " is green\x1b[39m\n")


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("── Tavern ──\n", "Tavern\n"),
        ("----------\nThe Tavern\n==========\n", "The Tavern\n"),
        ("┌──────┐\n│ mead │\n└──────┘\n", "mead\n"),
        ("+----+----+\n", ""),
        ("-=-=-=-=-\n*****\n~~~\n_____\n", ""),
        ("*** Ada has left. ***\n", "Ada has left.\n"),
        ("hp ████░░░░ 20\n", "hp 20\n"),
        ("wait... what -- no, C++!\n", "wait... what -- no, C++!\n"),
        ("\x1b[1mbold\x1b[22m\n", "bold\n"),
        ("a\n\n\n\nb\n\n", "a\n\nb\n\n"),
        ("\n", "\n"),
        ("  indented\n", "  indented\n"),
        ("Name: ", "Name: "),
        ("┃", ""),
    ],
)
def test_who_listens_is_told_words_and_no_drawing(text: str, heard: str) -> None:
    """No drawing characters, no rulers, no colours, no empty lines one after another."""
    assert render(text, HEARD) == heard.replace("\n", "\r\n")
    assert "".join(str(part) for part in parts(text, HEARD)) == heard


def test_what_a_link_sends_is_not_taken_for_drawing() -> None:
    """It is not read aloud."""
    assert parts(link("-----door", "go ----- "), HEARD._replace(links=True)) == (Linked(" door", "go ----- "),)


@given(HOSTILE)
def test_what_is_read_aloud_stays_the_same_when_it_is_read_again(text: str) -> None:
    """What is left after removing drawing is no drawing."""
    once = render(text, HEARD).replace("\r\n", "\n")
    assert not re.search("[\u2500-\u259f]", once)
    assert spoken(spoken(once)) == spoken(once)


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("utf-8", "“Grüße, łódź” — 猫 ─\r\n".encode()),
        ("latin-1", '"Grüße, lódz" - Mao -\r\n'.encode("latin-1")),
        ("ascii", b'"Grusse, lodz" - Mao -\r\n'),
    ],
)
def test_letters_that_a_client_has_not_are_written_with_those_it_has(encoding: Encoding, data: bytes) -> None:
    """Latin-1 keeps what it has, accents put together first; nothing becomes a question mark."""
    text = "“Gru\u0308ße, łódź” — 猫 ─\n" if encoding == "latin-1" else "“Grüße, łódź” — 猫 ─\n"
    assert encode(render(text, Look(encoding=encoding)), encoding) == data
    assert encode(text.replace("\n", "\r\n"), encoding) == data


def test_what_is_not_rendered_can_be_encoded_nevertheless() -> None:
    """A lone surrogate becomes a question mark."""
    assert encode("a\udc80b", "utf-8") == b"a?b"


@pytest.mark.parametrize("colours", [16, 256, TRUECOLOUR])
def test_a_text_too_long_for_the_cache_is_rendered_like_any(colours: Colours) -> None:
    """Only what is kept differs."""
    look = Look(columns=40, colours=colours)
    line = "\x1b[38;2;9;9;200mblue words in the deep\x1b[39m\n"
    count = CACHED_CHARS_MAX // len(line) + 1
    assert render(line * count, look) == render(line, look) * count


class Terminal(pyte.Screen):
    """A real terminal. Attributes: answers: What it said because it was asked."""

    def __init__(self, columns: int) -> None:
        super().__init__(columns, 200)
        self.answers: list[str] = []

    def write_process_input(self, data: str) -> None:
        self.answers.append(data)


@given(HOSTILE, LOOKS.filter(lambda look: look.columns))
def test_a_terminal_shows_each_line_on_one_row_of_its_own(text: str, look: Look) -> None:
    """It neither wraps a line by itself nor hears a command: no answer, no title, nothing on at the end (FM-83).

    Of letters that this one knows: it counts those of a joined emoji one by one.
    """
    terminal = Terminal(look.columns)
    shown = render(re.sub(f"[^\x00-\u02ff猫─{MARKS}\u2000-\u206f]|\u200d", "", text), look)
    pyte.Stream(terminal).feed(shown)
    assert terminal.cursor.y == shown.count("\r\n")
    assert (terminal.answers, terminal.title, terminal.icon_name) == ([], "", "")
    assert terminal.cursor.attrs == terminal.default_char


def test_the_closing_reset_is_the_only_thing_that_is_added() -> None:
    """What the game closes itself is left as it is."""
    assert RESET not in render("\x1b[1mbold\x1b[22m\n", PLAIN)
