"""Text from strangers in somebody's terminal."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.supervisor.plain import plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPq#0\x1b\\x", "x"),
        ("a\x9b2Jb", "a2Jb"),
        ("a\u202eb\u2066c", "abc"),
        ("a\nb\r\x00c", "a b c".replace(" c", "c")),
        ("tab\there 🎲 é", "tab\there 🎲 é"),
        ("\x1b]unended", ""),
        (42, "42"),
    ],
)
def test_escapes_are_removed_with_what_they_carry(text: object, shown: str) -> None:
    """Colours, titles, links, device strings, C1, bidi (FM-83, FM-67)."""
    assert plain(text) == shown


@given(st.text())
def test_no_control_character_is_left(text: str) -> None:
    """But tab."""
    assert not [c for c in plain(text) if unicodedata.category(c) in ("Cc", "Cs") and c != "\t"]


@given(st.text())
def test_what_is_plain_stays(text: str) -> None:
    """Cleaning twice changes nothing."""
    assert plain(plain(text)) == plain(text)
