"""A copyover of three rooms with each fault at each step: one owner for each room, and the outcome of the table."""

import pytest

from tests.copyover_cells import CELLS, FAULTS, MOVING, STATES
from tests.sim.copyover import FRESH, NEW, OLD, Copyover, Fault

ROOMS = 3

REFUSING = ("successor-raises", "successor-out-of-descriptors", "disk-full")
DYING = ("successor-exits", "successor-killed", "successor-out-of-memory")


def _faults(step: str, fault: str, room: int) -> list[Fault]:
    """The cell's fault as the world can have it; a raise or a refusal once the room is committed ends the successor."""
    if fault == "old-killed":
        return [Fault(step, room, dies=(OLD,)), Fault(step, room, dies=(OLD, NEW))]
    if fault == "successor-hangs":
        return [Fault(step, room, hangs=True), Fault(step, room, hangs=True, wakes=True)]
    if fault in DYING or (fault == "successor-raises" and step == "route"):
        return [Fault(step, room, dies=(NEW,))]
    if fault in REFUSING and step in ("verify", "commit"):
        return [Fault(step, room, refuses=True)]
    return []


CASES = [
    (step, fault, room, each)
    for step in MOVING
    for fault in FAULTS
    for room in range(ROOMS)
    for each in _faults(step, fault, room)
]


def test_the_table_has_every_cell() -> None:
    """Each state meets each fault, and for each it is said what comes of it."""
    assert CELLS.keys() == {(state, fault) for state in STATES for fault in FAULTS}


@pytest.mark.parametrize(("step", "fault", "room", "each"), CASES)
def test_each_room_has_one_owner_and_the_outcome_is_that_of_the_table(
    step: str, fault: str, room: int, each: Fault
) -> None:
    """Before the first commit everything is as it was; after it the copyover rolls forward (FM-31, FM-32, FM-35)."""
    copyover = Copyover(ROOMS, each)
    reported = copyover.go()
    owners = copyover.owners()
    expected = CELLS[step, fault].later if room else CELLS[step, fault].first
    match expected:
        case "aborted" | "waits":
            assert (reported, list(owners)) == ("aborted", [OLD] * ROOMS)
        case "partial" if each.wakes:
            assert OLD in owners[room:] or owners[room] == NEW
        case "partial":
            committed = room + (step in ("route", "release"))
            stays = each.refuses
            assert reported == ("partial" if OLD in owners else "committed")
            assert list(owners[:committed]) == [NEW if stays else FRESH] * committed
            assert owners[committed] == OLD if committed < ROOMS else True
        case "recovered":
            assert OLD not in owners
        case other:
            pytest.fail(f"the world cannot have {fault} at {step}, which is {other}")


def test_without_a_fault_every_room_is_the_successors() -> None:
    """The old host has no room left, and may exit."""
    copyover = Copyover(ROOMS)
    assert copyover.go() == "committed"
    assert list(copyover.owners()) == [NEW] * ROOMS


def test_a_room_that_fails_after_the_first_commit_stays_and_the_others_follow() -> None:
    """From the first commit on the plan only rolls forward."""
    copyover = Copyover(ROOMS, Fault("verify", 1, refuses=True))
    assert copyover.go() == "partial"
    assert list(copyover.owners()) == [NEW, OLD, NEW]
