"""What a room's history says, and what the room would be without any swap of its code: to compare what happens with."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from perdure.room.machine import Room
from perdure.room.record import Event, Input, Join, Output, Reloaded, TimerFired
from perdure.snapshot.body import read_body, sections
from tests.sim.parts import Violation, new_room, read_record
from tests.sim.toy import FIRST, GENERATIONS, LAST, TABLE


class Facts(NamedTuple):
    """What a journal says, to compare what happens with.

    Attributes:
        seats: session -> its last seat's j.
        applied: (session, j) -> numbers of its applied events, in order.
        said: (session, j) -> its outputs, in order.
        lines: session -> the lines applied, in order.
        generation: The code that ran last.
    """

    seats: dict[str, int]
    applied: dict[tuple[str, int], tuple[int, ...]]
    said: dict[tuple[str, int], tuple[Output, ...]]
    lines: dict[str, tuple[str, ...]]
    generation: str


@cache
def facts_of(journal: tuple[bytes, ...]) -> Facts:
    """What the journal says.

    Raises:
        Violation: It is no history: a gap, an event that was applied twice or out of order, or what the code that
            ran cannot have done.
    """
    if not journal:
        return Facts({}, {}, {}, {}, FIRST.generation)
    before = facts_of(journal[:-1])
    seats, applied = dict(before.seats), dict(before.applied)
    said, lines = dict(before.said), dict(before.lines)
    record = read_record(journal[-1])
    if record.c != len(journal):
        raise Violation(f"record {record.c} of room {record.room} follows record {len(journal) - 1}")
    if isinstance(record.cause, Event):
        session, j, n = record.cause.session, record.cause.j, record.cause.n
        numbers = applied.get((session, j), ())
        if n != len(numbers):
            raise Violation(f"event {n} of seat ({session}, {j}) was applied in room {record.room} after {numbers}")
        applied[session, j] = (*numbers, n)
        if isinstance(record.cause.body, Join):
            seats[session] = j
        elif isinstance(record.cause.body, Input):
            lines[session] = (*lines.get(session, ()), record.cause.body.line)
    for sessions, output in record.outputs:
        for session in sessions:
            seat = session, seats[session]
            said[seat] = (*said.get(seat, ()), output)
    generation = record.cause.generation if isinstance(record.cause, Reloaded) else before.generation
    code = GENERATIONS[generation]
    if isinstance(record.cause, TimerFired) and not code.bell:
        raise Violation(f"a timer fired in room {record.room}, and generation {generation} has no handler for it")
    for _, key, row in record.rows:
        if row is not None and version_of(row) != code.spec.version:
            raise Violation(f"generation {generation} wrote row {key} of room {record.room} as another version")
    return Facts(seats, applied, said, lines, generation)


class State(NamedTuple):
    """What a room without swaps would have as well.

    Attributes:
        said: Session -> its lines.
        timers: Ids of the timers that wait.
        seats: (session, j, applied, next m) of the open seats.
    """

    said: dict[str, tuple[str, ...]]
    timers: list[str]
    seats: list[tuple[str, int, int, int]]


@cache
def state_of(data: bytes) -> State:
    """What is in a body."""
    body = read_body(data)
    return State(
        {str(key): LAST.said(row) for key, row in body.tables.get(TABLE, {}).items()},
        sorted(body.meta.timers),
        sorted((s, seat.j, seat.applied, seat.next_m) for s, seat in body.meta.seats.items() if seat.stage == "open"),
    )


@cache
def versions_of(data: bytes) -> frozenset[int]:
    """The versions of the rows in a body."""
    return frozenset(version_of(row) for row in read_body(data).tables.get(TABLE, {}).values())


def version_of(row: bytes) -> int:
    """Which version wrote a row."""
    return int.from_bytes(row[:2], "little")


@cache
def never_swapped(id: str, records: tuple[bytes, ...]) -> bytes:
    """The body of a room that ran the causes of `records`, but for the swaps, in the first generation all along."""
    if not records:
        return new_room(id)
    body, record = never_swapped(id, records[:-1]), read_record(records[-1])
    room = Room.restore(read_body(body), id, FIRST, c=len(records) - 1, epoch=0, branch=0)
    if isinstance(record.cause, Reloaded):
        for timer, _ in record.timers:
            room.timers.pop(timer)
    else:
        room.run(record.cause, 0)
    return b"".join(sections(room.capture()))
