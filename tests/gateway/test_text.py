"""What may pass between terminals."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.gateway.text import clean_line, clean_text

HOSTILE = st.lists(
    st.one_of(
        st.sampled_from(
            ["\x1b", "\x1b[", "\x1b]0;", "\x07", "\x9b", "\x90", "\x9c", "[31m", "2J", "\x1b[1;31m", "\u202e"]
        ),
        st.text(max_size=5),
        st.sampled_from(["\r", "\n", "\t", "\x00", "\x7f", "\u2066", "\u2028"]),
    ),
    max_size=20,
).map("".join)


@pytest.mark.parametrize(
    ("typed", "cleaned"),
    [
        ("say hello", "say hello"),
        ("say\thello", "say hello"),
        ("lo\x1b[Aok\x1bOP", "lookP"),
        ("say \x1b]0;owned\x07hi", "say hi"),
        ("say \u202eolleh", "say olleh"),
        ("say \x9b2Jhi\x07", "say hi"),
        ("say grüße 猫", "say grüße 猫"),
    ],
)
def test_what_players_type_loses_everything_that_controls(typed: str, cleaned: str) -> None:
    """Escapes typed by one player never reach another's terminal (FM-83)."""
    assert clean_line(typed) == cleaned


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\n", "a\r\nb\r\n"),
        ("a\r\nb\rc", "a\r\nb\r\nc"),
        ("\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m"),
        ("\x1b[2Jclear\x1b[Hhome", "clearhome"),
        ("\x1b]8;;evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]never ended\nnext", "\r\nnext"),
        ("\x1b\x1b[2J[31m", "[31m"),
        ("bell\x07 \ttab", "bell \ttab"),
        ("\u2066x\u2069", "x"),
    ],
)
def test_text_for_players_keeps_colour_tabs_and_lines_only(text: str, shown: str) -> None:
    """SGR is allowed, everything else is stripped; lines end with CR LF (FM-83)."""
    assert clean_text(text) == shown


@given(HOSTILE)
def test_nothing_that_controls_survives_in_a_line(typed: str) -> None:
    """C0, C1, ESC and bidi controls are gone, whatever they were put together from (FM-83)."""
    assert not re.search("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", clean_line(typed))


@given(HOSTILE)
def test_nothing_but_colour_survives_in_text(text: str) -> None:
    """After taking out SGR, CR LF and tabs, no control character is left (FM-83)."""
    rest = re.sub(r"\x1b\[[0-9;:]*m|\r\n|\t", "", clean_text(text))
    assert not re.search("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", rest)


@given(HOSTILE)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    """Removing can't put a new sequence together."""
    once = clean_text(text)
    assert clean_text(once) == once
