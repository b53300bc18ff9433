"""Canaries: who tries new code first, and what lets the others follow."""

import math
import random

from hypothesis import given
from hypothesis import strategies as st

from perdure.host.running import percentiles
from perdure.movement.canary import P50_CALLBACKS_MIN, P99_CALLBACKS_MIN, choose, judge
from perdure.movement.report import Measured

ROOMS = st.sets(st.text("abcdefg-0123", min_size=1, max_size=6), max_size=60)
PERCENT = st.floats(1, 99)
SIDE = st.builds(
    Measured,
    rooms=st.integers(1, 50),
    callbacks=st.integers(0, 10_000),
    faults=st.integers(0, 100),
    tick_p50_ms=st.floats(0.001, 100),
    tick_p99_ms=st.floats(100, 500),
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
    """Twice the time and a slack is the bound for both percentiles, once there are enough callbacks to tell."""
    moved.faults = unmoved.faults = 0
    moved.callbacks, unmoved.callbacks = moved.callbacks + P99_CALLBACKS_MIN, unmoved.callbacks + P99_CALLBACKS_MIN
    verdict = judge(moved, unmoved)
    median_passes = moved.tick_p50_ms <= 2 * unmoved.tick_p50_ms + 1
    assert verdict.go_on == (median_passes and moved.tick_p99_ms <= 2 * unmoved.tick_p99_ms + 10)
    assert f"{moved.tick_p50_ms if not median_passes else moved.tick_p99_ms:.1f} ms" in verdict.reason


@given(st.integers(20, 5_000), st.floats(0.05, 5), st.integers(0, 2**32))
def test_a_machine_that_holds_up_a_callback_now_and_then_is_not_slow_code(callbacks, median_ms, seed) -> None:
    """One callback in 20 waits for its turn of the processor, up to 10 ms, and on the new side alone."""
    ticks_ms = [median_ms * 1.2] * callbacks
    for late in random.Random(seed).sample(range(callbacks), callbacks // 20):
        ticks_ms[late] += 10
    seen = percentiles(ticks_ms)
    moved = Measured(3, callbacks, 0, seen["p50"], seen["p99"])
    assert judge(moved, Measured(7, 5_000, 0, median_ms, median_ms)).go_on


@given(SIDE, SIDE)
def test_a_worse_canary_is_never_judged_better(moved: Measured, unmoved: Measured) -> None:
    """More faults and slower ticks of the new code turn no refusal into a go."""
    worse = Measured(moved.rooms, moved.callbacks, moved.faults + 1, moved.tick_p50_ms + 1, moved.tick_p99_ms + 1)
    if not judge(moved, unmoved).go_on:
        assert not judge(worse, unmoved).go_on


def test_few_callbacks_say_nothing_about_time() -> None:
    """One slow callback of three is chance, and so is the slowest of a hundred."""
    old = Measured(9, 5_000, 0, 0.2, 1.0)
    assert judge(Measured(1, P50_CALLBACKS_MIN - 1, 0, 400.0, 400.0), old).go_on
    assert judge(Measured(1, P99_CALLBACKS_MIN - 1, 0, 0.2, 400.0), old).go_on
    assert not judge(Measured(1, P50_CALLBACKS_MIN, 0, 400.0, 400.0), old).go_on
    assert not judge(Measured(1, P99_CALLBACKS_MIN, 0, 0.2, 400.0), old).go_on


def test_an_older_program_that_does_not_tell_its_median_is_compared_by_its_slowest() -> None:
    """Taken for 0 ms, it would send good code back (FM-97)."""
    old = Measured(9, 5_000, 0, tick_p99_ms=8.0)
    assert judge(Measured(1, 5_000, 0, 5.0, 9.0), old).go_on
    assert not judge(Measured(1, 5_000, 0, 5.0, 30.0), old).go_on


def test_rooms_in_which_nothing_ran_let_it_pass_and_say_so() -> None:
    """Whoever reads the report knows that the canary proved little."""
    verdict = judge(Measured(2), Measured(9, 400, 1, 2.0, 2.0))
    assert verdict.go_on
    assert "nothing ran" in verdict.reason
