"""What may pass between terminals."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.gateway.terminal.text import clean, clean_line
from perdure.markup import LINK, LINK_END, LINK_TEXT, MARKS, link

HOSTILE = st.lists(
    st.one_of(
        st.sampled_from(
            ["\x1b", "\x1b[", "\x1b]0;", "\x1b]8;;http://evil\x1b\\", "\x07", "\x9b", "\x90", "\x9c", "[31m", "2J"]
        ),
        st.sampled_from(
            ["\x1b[1;31m", "\x1b[8m", "\x1b[5;7m", "\x1b[38;2;1;2", "\u202e", "\u2066", "\u2028", "\ufeff"]
        ),
        st.sampled_from([LINK, LINK_TEXT, LINK_END, link("door", "open door"), "\ufdd7"]),
        st.sampled_from(["\r", "\n", "\t", "\x00", "\x7f", "\x85"]),
        st.text(max_size=5),
    ),
    max_size=20,
).map("".join)

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
SGR = re.compile(r"\x1b\[[0-9;:]*m")


@pytest.mark.parametrize(
    ("typed", "cleaned"),
    [
        ("say hello", "say hello"),
        ("say\thello", "say hello"),
        ("lo\x1b[Aok\x1bOP", "lookP"),
        ("say \x1b]0;owned\x07hi", "say hi"),
        ("say \x1b[31mhi", "say hi"),
        ("say \u202eolleh", "say olleh"),
        ("say \x9b2Jhi\x07", "say hi"),
        ("say grüße 猫", "say grüße 猫"),
        ("say 👩\u200d👧 ❤\ufe0f", "say 👩\u200d👧 ❤\ufe0f"),
        ("say a\u200bb\u2060c\U000e0041\U000e007fd", "say abcd"),
        ("chat a" + "\u0301" * 100 + "b", "chat a" + "\u0301" * 8 + "b"),
        ("chat a" + "\u0301\u200d" * 100 + "b", "chat a" + "\u0301\u200d" * 8 + "b"),
        ("chat a\u20dd" + "\u0488" * 9, "chat a\u20dd" + "\u0488" * 7),
        ("say न\u093f हि\u0902दी", "say न\u093f हि\u0902दी"),
        (f"say {link('free gold', 'give all to Eve')}", "say give all to Evefree gold"),
    ],
)
def test_what_players_type_loses_everything_that_controls(typed: str, cleaned: str) -> None:
    """Neither escapes nor links typed by one player ever reach another's terminal (FM-83)."""
    assert clean_line(typed) == cleaned


@pytest.mark.parametrize(
    ("typed", "cleaned"),
    [
        ("say \x1b[31mred", "say \x1b[31mred\x1b[0m"),
        ("say \x1b[1;3;4mhi\x1b[0m", "say \x1b[1;3;4mhi\x1b[0m"),
        ("say \x1b[5;7;8;9mhi", "say hi"),
        ("say \x1b[8;32mhi\x1b[2J", "say \x1b[32mhi\x1b[0m"),
        ("\x1b[0msay hi", "say hi"),
        ("a\x1b[31m" + "\u0301" * 9 + "\x1b[32m\u0301b", "a\x1b[31m" + "\u0301" * 8 + "\x1b[32mb\x1b[0m"),
        ("say \x1b[38;2;1;2;3mhi\x1b[39m", "say \x1b[38;2;1;2;3mhi\x1b[39m"),
    ],
)
def test_where_players_may_colour_nothing_blinks_hides_or_runs_on(typed: str, cleaned: str) -> None:
    """By policy colours, bold, italic and underline stay, and they end with the line (FM-83)."""
    assert clean_line(typed, colours=True) == cleaned


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\r\nb\rc\n", "a\nb\nc\n"),
        ("\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m"),
        ("\x1b[2Jclear\x1b[Hhome", "clearhome"),
        ("\x1b]8;;evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]never ended\nnext", "\nnext"),
        (f"\x1b]never ended{link('door', 'open')}", link("door", "open")),
        ("\x1b\x1b[2J[31m", "[31m"),
        ("bell\x07 \ttab", "bell \ttab"),
        ("\u2066x\u2069", "x"),
        ("\x1b[31", ""),
        ("\x1b[" + "1;" * 40 + "m", ""),
    ],
)
def test_a_games_text_keeps_colour_tabs_and_lines_only(text: str, cleaned: str) -> None:
    """SGR is allowed, everything else is stripped, unfinished sequences included (FM-83)."""
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        (f"go {link('north', 'north')}!", f"go {link('north', 'north')}!"),
        (f"{LINK}a{LINK_TEXT}b", "ab"),
        (f"{LINK}a{LINK_TEXT}b\nc{LINK_END}", "ab\nc"),
        (f"{LINK}{LINK}a{LINK_TEXT}b{LINK_END}{LINK_END}", link("b", "a")),
        (link("\x1b[1mdoor\x1b[22m", "open\x1b[31m door"), link("\x1b[1mdoor\x1b[22m", "open door")),
        (link("door", "\x07"), "door"),
        (link("\x1b[1m ", "open"), "\x1b[1m "),
        (link("door", "open " * 200), "door"),
    ],
)
def test_only_whole_links_keep_their_marks(text: str, cleaned: str) -> None:
    """Broken ones are text; what is sent holds no SGR; one that shows or sends nothing, or sends too much, is none."""
    assert clean(text) == cleaned


@given(HOSTILE)
def test_nothing_that_controls_survives_in_a_line(typed: str) -> None:
    """C0, C1, ESC, bidi controls and marks are gone, whatever they were put together from (FM-83)."""
    cleaned = clean_line(typed)
    assert not CONTROL.search(cleaned)
    assert not re.search(f"[{MARKS}]", cleaned)


@given(HOSTILE)
def test_nothing_but_colour_survives_in_a_coloured_line(typed: str) -> None:
    """Without its SGR a line is as clean as any, and only the kinds that players may use are left (FM-83)."""
    cleaned = clean_line(typed, colours=True)
    assert not CONTROL.search(SGR.sub("", cleaned))
    assert not re.search(f"[{MARKS}]", cleaned)
    assert not re.search(r"\x1b\[[0-9;]*\b[5-8]m", re.sub(r"[34]8;[25];[0-9;]*", "", cleaned))


@given(HOSTILE)
def test_nothing_but_colour_survives_in_text(text: str) -> None:
    """After taking out SGR, newlines and tabs, no control character is left (FM-83)."""
    assert not CONTROL.search(re.sub(r"\x1b\[[0-9;:]*m|\n|\t", "", clean(text)))


@given(HOSTILE)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    """Removing can't put a new sequence together."""
    once = clean(text)
    assert clean(once) == once
    line = clean_line(text, colours=True)
    assert clean_line(line, colours=True) == line
