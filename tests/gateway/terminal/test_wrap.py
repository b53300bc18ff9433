"""Lines that fit a window."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import iter_graphemes, width

from perdure.gateway.terminal.wrap import LINK_CLOSE, SEQUENCE, wrapped

OPEN = "\x1b]8;;send:open%20door\x1b\\"
BOLD, NOT_BOLD = "\x1b[1m", "\x1b[22m"

LINES = st.lists(
    st.one_of(
        st.sampled_from(
            [" ", "  ", "\t", "a", "the", "words", "x" * 30, "猫", "猫" * 15, "e\u0301", "👩\u200d👧", "🇩🇪", "ﷺ"]
        ),
        st.sampled_from(
            [BOLD, NOT_BOLD, "\x1b[38;5;9m", "\x1b[0m", f"{OPEN}the big door{LINK_CLOSE}", f"{OPEN}x{LINK_CLOSE}"]
        ),
        st.text("ab猫 \té\u0301\u200d", max_size=12),
    ),
    max_size=30,
).map("".join)


def seen_columns(line: str) -> int:
    """How wide a line is: what is seen as one character each, and tabs up to every eighth column."""
    columns = 0
    for cluster in iter_graphemes(visible(line)):
        columns += 8 - columns % 8 if cluster == "\t" else width(cluster)
    return columns


def visible(line: str) -> str:
    return SEQUENCE.sub(lambda found: "" if found[1] else found[0], line)


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("the quick brown fox", ["the quick", "brown fox"]),
        ("0123456789", ["0123456789"]),
        ("0123456789a", ["0123456789", "a"]),
        ("a 0123456789abc b", ["a", "0123456789", "abc b"]),
        ("  two spaces in front", ["  two", "  spaces", "  in front"]),
        ("        too far in for this", ["too far in", "for this"]),
        ("  0123456789", ["  01234567", "  89"]),
        ("trailing                   ", ["trailing"]),
        ("            ", [""]),
        ("猫猫猫猫猫猫 猫", ["猫猫猫猫猫", "猫 猫"]),
        ("a猫猫猫猫猫", ["a猫猫猫猫", "猫"]),
        ("éééééééééé".replace("é", "e\u0301"), ["e\u0301" * 10]),
        ("👩\u200d👧👩\u200d👧👩\u200d👧👩\u200d👧👩\u200d👧👩\u200d👧", ["👩\u200d👧" * 5, "👩\u200d👧"]),
        ("a\tbc\td", ["a       bc", "d"]),
        ("a\u200db\u200dc\u200dd\u200de 12345678", ["a\u200db\u200dc\u200dd\u200de", "12345678"]),
        ("wait—what", ["wait—what"]),
    ],
)
def test_lines_break_at_spaces_by_the_width_that_is_seen(line: str, lines: list[str]) -> None:
    """Wide characters take two columns, combining ones none; words longer than a line are cut; indentation is kept."""
    assert wrapped(line, 10) == lines


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        (f"{BOLD}0123456789{NOT_BOLD}", [f"{BOLD}0123456789{NOT_BOLD}"]),
        (f"one {BOLD}two{NOT_BOLD} three", [f"one {BOLD}two{NOT_BOLD}", "three"]),
        (f"one twooo {BOLD}three", ["one twooo", f"{BOLD}three"]),
        (f"un{BOLD}bold{NOT_BOLD}ed is cut", [f"un{BOLD}bold{NOT_BOLD}ed", "is cut"]),
        (f"{OPEN}open door{LINK_CLOSE}. Go on", [f"{OPEN}open door{LINK_CLOSE}.", "Go on"]),
        (f"{OPEN}the big door{LINK_CLOSE}.", [f"{OPEN}the big{LINK_CLOSE}", f"{OPEN}door{LINK_CLOSE}."]),
        (f"  see the {OPEN}door{LINK_CLOSE}", ["  see the", f"  {OPEN}door{LINK_CLOSE}"]),
        (f"0123456789{OPEN}door{LINK_CLOSE}", ["0123456789", f"{OPEN}door{LINK_CLOSE}"]),
    ],
)
def test_sequences_take_no_room_and_links_end_on_their_line(line: str, lines: list[str]) -> None:
    """SGR stays where it stood; a link that goes on is closed and opened again."""
    assert wrapped(line, 10) == lines


@given(LINES, st.integers(10, 40))
def test_every_line_fits_and_nothing_is_lost(line: str, columns: int) -> None:
    """No line is wider than the window, no character but spaces is dropped, no accent is torn from its letter."""
    lines = wrapped(line, columns)
    assert all(seen_columns(each) <= columns for each in lines)
    assert re.sub(r"\s", "", visible("".join(lines))) == re.sub(r"\s", "", visible(line))
    whole = {cluster.lstrip(" ") for cluster in iter_graphemes(visible(line))}
    assert all(cluster.lstrip(" ") in whole | {""} for each in lines for cluster in iter_graphemes(visible(each)))


@given(LINES, st.integers(10, 40))
def test_every_sequence_is_kept_and_every_link_is_closed_on_its_line(line: str, columns: int) -> None:
    """SGR comes in its order; each line has as many ends of links as beginnings, in turn."""
    lines = wrapped(line, columns)
    assert re.findall(r"\x1b\[[^m]*m", "".join(lines)) == re.findall(r"\x1b\[[^m]*m", line)
    for each in lines:
        links = re.findall(r"\x1b\]8;;[^\x1b]*\x1b\\", each)
        assert links == [OPEN, LINK_CLOSE] * (len(links) // 2)


@given(st.text(max_size=60), st.integers(1, 12))
def test_any_text_and_any_window_come_to_an_end(text: str, columns: int) -> None:
    """Even a window narrower than a character."""
    line = re.sub("[\x00-\x1f\x7f-\x9f]", "", text)
    assert "".join(wrapped(line, columns)).replace(" ", "") == line.replace(" ", "")


def test_long_words_take_time_in_proportion_to_their_length() -> None:
    """64 Ki characters without a space are cut once through (FM-80)."""
    assert len(wrapped("猫" * 65536, 20)) == 6554
    assert len(wrapped("x" * 65536, 20)) == 3277
    assert len(wrapped("🇩🇪" * 32768, 20)) == 3277
    assert len(wrapped("\t" * 65536, 20)) == 1
    assert len(wrapped("a\t" * 32768, 20)) == 10923


def test_a_long_line_that_is_short_to_see_stays_as_it_is() -> None:
    """A bar of coloured spaces keeps all of them."""
    bar = "".join(f"\x1b[48;2;{red};0;0m " for red in range(60)) + "\x1b[0m"
    assert wrapped(bar, 60) == [bar]
