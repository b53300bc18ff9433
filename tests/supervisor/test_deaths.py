"""What counts as two deaths on one slot, and when a callback is overdue."""

import time
from collections.abc import Iterator

import pytest

from perdure.slot import Executing, Slot
from perdure.supervisor.deaths import ROOMS_MAX, SEEN_MIN, DeathRecord, DeathWatch, aside_of

Slotted = tuple[str, int, str, int, int]


class Hand:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_ns = time.monotonic_ns()

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def watch(hand: Hand) -> Iterator[DeathWatch]:
    made = DeathWatch(hand)
    yield made
    made.close()


def execute(watch: DeathWatch, room: str, c: int, session: str, j: int, n: int) -> None:
    slot = Slot(watch.fd)
    slot.begin(room, c, session, j, n, 1000)
    slot.close()


def test_the_same_input_twice_in_a_row_is_named() -> None:
    """The seat and number are the input, whatever callback number it would have had (FM-78)."""
    watch = DeathWatch()
    execute(watch, "world", 7, "s", 1, 3)
    executing, twice = watch.died()
    assert executing is not None
    assert not twice
    execute(watch, "world", 9, "s", 1, 3)
    executing, twice = watch.died()
    assert executing is not None
    assert twice
    assert watch.died() == (None, False)
    execute(watch, "world", 11, "s", 1, 3)
    assert watch.died()[1], "and so is a third death on it, if nobody could write down the second"
    assert "died twice in callback 9 on input 3 of session s" in aside_of(executing, "killed", 5).reason
    watch.close()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("world", 7, "s", 1, 3), ("world", 7, "s", 1, 4)),
        (("world", 7, "s", 1, 3), ("world", 7, "s", 2, 3)),
        (("world", 7, "s", 1, 3), ("arena", 7, "s", 1, 3)),
        (("world", 7, "", 0, -1), ("world", 8, "", 0, -1)),
        (("world", 7, "s", 1, 3), ("world", 7, "", 0, -1)),
    ],
)
def test_different_callbacks_do_not_add_up(watch: DeathWatch, first: Slotted, second: Slotted) -> None:
    """Each is a first death of its own."""
    execute(watch, *first)
    watch.died()
    execute(watch, *second)
    assert not watch.died()[1]


def test_a_callback_without_input_is_known_by_its_number(watch: DeathWatch) -> None:
    """Wakes and timers that kill at the same point of history are the same."""
    for expected in (False, True):
        execute(watch, "world", 7, "", 0, -1)
        assert watch.died()[1] is expected


def test_an_empty_slot_counts_nothing_and_shields_nobody(watch: DeathWatch) -> None:
    """A death while nothing ran is neither a first nor a second one."""
    execute(watch, "world", 7, "s", 1, 3)
    watch.died()
    assert watch.died() == (None, False)
    execute(watch, "world", 7, "s", 1, 3)
    assert watch.died()[1]


def test_an_ordered_stop_forgets_what_was_executed(watch: DeathWatch) -> None:
    """It is not a death (FM-55)."""
    execute(watch, "world", 7, "s", 1, 3)
    watch.stopped()
    assert watch.died() == (None, False)


def test_an_overdue_callback_is_reported_when_it_was_seen_twice(watch: DeathWatch, hand: Hand) -> None:
    """Budget and one second, and a second look: a machine that slept is not a game that hangs (FM-40)."""
    execute(watch, "world", 7, "s", 1, 3)
    assert watch.overdue() is None
    hand.now_ns += 1_900_000_000
    assert [watch.overdue() for _ in range(3)] == [None] * 3
    hand.now_ns += 3_000_000_000
    looks = [watch.overdue() for _ in range(SEEN_MIN)]
    assert looks[:-1] == [None] * (SEEN_MIN - 1)
    assert looks[-1] is not None
    assert looks[-1].room == "world"


def test_two_callbacks_that_are_both_late_are_not_one(watch: DeathWatch, hand: Hand) -> None:
    """Only the same callback seen again is stuck."""
    for c in range(4):
        execute(watch, "world", c, "s", 1, c)
        hand.now_ns += 10_000_000_000
        assert watch.overdue() is None


def test_rooms_that_kill_in_turn_are_counted_for_themselves(watch: DeathWatch) -> None:
    """Two poisoned rooms on one host, or on several, do not hide each other."""
    other = DeathWatch(record=watch.record)
    for expected in (False, True):
        execute(watch, "world", 7, "s", 1, 3)
        assert watch.died()[1] is expected
        execute(other, "arena", 9, "s", 2, 4)
        assert other.died()[1] is expected
    other.close()


def test_only_the_newest_rooms_are_remembered() -> None:
    """A server that makes rooms for years does not remember what each of them died of."""
    record = DeathRecord()
    for number in range(ROOMS_MAX + 1):
        assert not record.count(Executing(f"room-{number}", 1, "s", 1, 1, 0, 1000))
    assert record.count(Executing(f"room-{ROOMS_MAX}", 1, "s", 1, 1, 0, 1000))
    assert not record.count(Executing("room-0", 1, "s", 1, 1, 0, 1000))
