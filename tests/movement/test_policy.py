"""The update policy: when a running room takes new code."""

import itertools

import pytest

from perdure.movement.policy import may_swap

EVERY = [
    {"seats": seats, "started": started, "match_over": over}
    for seats, started, over in itertools.product((0, 1, 9), (False, True), (False, True))
]


@pytest.mark.parametrize("room", EVERY, ids=str)
def test_now_is_always(room) -> None:
    """The default waits for nothing but the end of the callback (FM-48)."""
    assert may_swap("now", **room)


@pytest.mark.parametrize("room", EVERY, ids=str)
def test_idle_is_when_nobody_is_there(room) -> None:
    """Whatever the game says about its match; a room that never ran disturbs nobody."""
    assert may_swap("idle", **room) == (not room["seats"] or not room["started"])


@pytest.mark.parametrize("room", EVERY, ids=str)
def test_match_is_when_the_game_says_so_or_nobody_is_there(room) -> None:
    """A room that everybody left in the middle of a match does not wait for ever."""
    assert may_swap("match", **room) == (room["match_over"] or may_swap("idle", **room))
