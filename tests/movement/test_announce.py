"""What players are told of a copyover: little, at the right moment, and in the game's own words."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.announcements import Phase
from perdure.movement.announce import (
    COUNTDOWN,
    Due,
    due,
    opening,
    render,
    told,
)

VALUES = {"seconds": 300, "reason": "an auction is going on.", "build": 7, "server": "Underbridge"}
PHASES: tuple[Phase, ...] = get_args(Phase)


# --- texts ---


@pytest.mark.parametrize("phase", PHASES)
def test_every_phase_has_a_text_of_one_line_that_can_be_said(phase: Phase) -> None:
    """It fills in whole, and leaves no colour on."""
    text = told(phase, VALUES, {})
    assert "{" not in text
    assert "\n" not in text
    assert text.endswith("\x1b[0m")
    assert ".." not in text


def test_a_game_says_it_in_its_own_words_or_not_at_all() -> None:
    """What perdure.toml has wins; "" says nothing; the rest stays."""
    own = {"done": "{green}A cool wind blows through {server}.{reset}", "building": ""}
    assert told("done", VALUES, own) == "\x1b[32mA cool wind blows through Underbridge.\x1b[0m"
    assert told("building", VALUES, own) == ""
    assert "5 minutes" in told("minute", VALUES, own)


@pytest.mark.parametrize(
    ("seconds", "when"),
    [(0, "now"), (1, "in 1 second"), (30, "in 30 seconds"), (60, "in 1 minute"), (90, "in 90 seconds"),
     (300, "in 5 minutes"), (7200, "in 2 hours"), (29.6, "in 30 seconds")],
)  # fmt: skip
def test_when_is_said_as_people_say_it(seconds: float, when: str) -> None:
    """In the largest unit that is exact."""
    assert render("{when}", {"seconds": seconds}) == when


def test_a_text_is_filled_in_and_its_colour_ends_with_it() -> None:
    """Braces, missing values and colours."""
    assert render("{red}{bold}{seconds}s", {"seconds": 5}) == "\x1b[31m\x1b[1m5s\x1b[0m"
    assert render("{{{build}}}{reason}", {"build": 3}) == "{3}"
    assert render("{seconds}", {"seconds": 299.8}) == "300"
    assert render("plain", {}) == "plain"


def test_a_reason_controls_no_terminal() -> None:
    """It is the text of a module of some game (FM-83)."""
    assert render("Later: {reason}.", {"reason": "a\x1b[2J fight\r\n\x9b1mhere."}) == "Later: a[2J fight 1mhere."


# --- the countdown ---


def counted_down(from_s: float, step_s: float) -> list[Due]:
    """Everything that is said by somebody who looks at the clock that often."""
    said, before_s = [], from_s
    while before_s > 0:
        now_s = max(0.0, before_s - step_s)
        said += due(before_s, now_s)
        before_s = now_s
    return said


def test_a_countdown_names_each_of_the_last_minutes_and_then_the_last_seconds() -> None:
    """Five lines for the minutes, then 30, 10, 5, 4, 3, 2, 1."""
    said = counted_down(900.0, 0.1)
    assert said == list(COUNTDOWN)
    assert [line.seconds for line in said] == [300, 240, 180, 120, 60, 30, 10, 5, 4, 3, 2, 1]
    assert [line.phase for line in said] == ["minute"] * 5 + ["seconds"] * 7


def test_what_was_announced_is_not_said_again() -> None:
    """The announcement of a copyover in a minute is the line for that minute."""
    assert [line.seconds for line in counted_down(60.0, 0.25)] == [30, 10, 5, 4, 3, 2, 1]
    assert due(0.0, 0.0) == []


def test_a_copyover_at_once_says_one_line_before() -> None:
    """There is nothing to count down; a build is that line, if there is one."""
    assert counted_down(0.0, 0.1) == []
    assert opening(0, builds=False) == "announce"
    assert opening(0, builds=True) == "building"
    assert opening(60, builds=True) == "announce"


@given(st.floats(0, 1000), st.lists(st.floats(0, 1000), max_size=20))
def test_no_line_is_said_twice_and_none_that_is_not_true(from_s: float, looks: list[float]) -> None:
    """However seldom somebody looks at the clock: at most one line at a time, and the latest."""
    said: list[Due] = []
    before_s = from_s
    for now_s in sorted((look for look in looks if look < from_s), reverse=True):
        lines = due(before_s, now_s)
        assert len(lines) <= 1
        assert all(now_s <= line.seconds < before_s for line in lines)
        said += lines
        before_s = now_s
    assert len(said) == len(set(said))
    assert said == sorted(said, key=lambda line: -line.seconds)
