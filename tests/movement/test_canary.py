"""Canaries: who tries new code first, and what lets the others follow."""

import math

from hypothesis import given
from hypothesis import strategies as st

from perdure.movement.canary import CALLBACKS_MIN, choose, judge
from perdure.movement.report import Measured

ROOMS = st.sets(st.text("abcdefg-0123", min_size=1, max_size=6), max_size=60)
PERCENT = st.floats(1, 99)
SIDE = st.builds(
    Measured,
    rooms=st.integers(1, 50),
    callbacks=st.integers(0, 10_000),
    faults=st.integers(0, 100),
    tick_p99_ms=st.floats(0, 500),
)


@given(ROOMS, PERCENT, st.text(max_size=5))
def test_some_rooms_move_and_some_stay(rooms, percent, generation) -> None:
    """Whatever the share, there is something to compare; with one room there is no canary."""
    chosen = choose(rooms, percent, generation)
    assert set(chosen) < rooms or not rooms
    assert len(set(chosen)) == len(chosen)
    assert bool(chosen) == (len(rooms) > 1)
    assert len(chosen) <= max(1, math.ceil(len(rooms) * percent / 100))


@given(ROOMS, PERCENT)
def test_the_choice_depends_on_nothing_but_rooms_and_code(rooms, percent) -> None:
    """Asked again, the same rooms try it."""
    assert choose(sorted(rooms), percent, "g1") == choose(sorted(rooms, reverse=True), percent, "g1")


def test_other_code_is_tried_by_other_rooms() -> None:
    """It is not always the same players who try."""
    rooms = [f"room-{n}" for n in range(100)]
    assert len({tuple(choose(rooms, 5, f"g{n}")) for n in range(10)}) == 10


@given(SIDE, SIDE)
def test_a_new_fault_goes_back(moved: Measured, unmoved: Measured) -> None:
    """Where the old code has none, a single fault of the new is enough."""
    unmoved.faults, moved.faults = 0, max(1, moved.faults)
    moved.callbacks = max(moved.callbacks, moved.faults)
    verdict = judge(moved, unmoved)
    assert not verdict.go_on
    assert f"{moved.faults} fault" in verdict.reason


@given(SIDE)
def test_code_that_does_as_well_as_the_old_goes_on(side: Measured) -> None:
    """Faults and slowness that both have are not the new code's."""
    side.callbacks = max(side.callbacks, side.faults)
    assert judge(side, side).go_on


@given(SIDE, SIDE)
def test_slower_ticks_go_back_and_faster_ones_never_do(moved: Measured, unmoved: Measured) -> None:
    """Twice the time and one millisecond more is the bound, once there are enough callbacks to tell."""
    moved.faults = unmoved.faults = 0
    moved.callbacks, unmoved.callbacks = moved.callbacks + CALLBACKS_MIN, unmoved.callbacks + CALLBACKS_MIN
    verdict = judge(moved, unmoved)
    assert verdict.go_on == (moved.tick_p99_ms <= 2 * unmoved.tick_p99_ms + 1)
    assert f"{moved.tick_p99_ms:.1f} ms" in verdict.reason


@given(SIDE, SIDE)
def test_a_worse_canary_is_never_judged_better(moved: Measured, unmoved: Measured) -> None:
    """More faults and slower ticks of the new code turn no refusal into a go."""
    worse = Measured(moved.rooms, moved.callbacks, moved.faults + 1, moved.tick_p99_ms + 1)
    if not judge(moved, unmoved).go_on:
        assert not judge(worse, unmoved).go_on


def test_few_callbacks_say_nothing_about_time() -> None:
    """One slow callback of three is chance."""
    assert judge(Measured(1, 3, 0, 400.0), Measured(9, 5_000, 0, 1.0)).go_on


def test_rooms_in_which_nothing_ran_let_it_pass_and_say_so() -> None:
    """Whoever reads the report knows that the canary proved little."""
    verdict = judge(Measured(2), Measured(9, 400, 1, 2.0))
    assert verdict.go_on
    assert "nothing ran" in verdict.reason
