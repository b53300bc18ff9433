"""A copyover of several rooms, without players: who owns each of them after a fault at a step.

Both sides of each move are the real ones; so is the compare-and-set. Rooms move one after the other, as the old host's
plan says: the first failure ends it as long as nothing was committed, and from then on it rolls forward. When nobody
does anything any more, a fresh host recovers the rooms whose owners are dead. One room's moves in every order of
both sides' steps are the business of `model`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from perdure.movement.copyover_report import KeptRoom, Outcome
from perdure.movement.copyover_rules import outcome
from perdure.movement.move import Arriving, Leaving, Offer
from perdure.ports import Claim, Owner
from perdure.room.acknowledged import Acknowledged
from tests.copyover_cells import MOVING
from tests.sim.parts import claimed

OLD, NEW, FRESH = "old", "new", "fresh"


class Fault(NamedTuple):
    """What goes wrong when a step of one room's move begins.

    Attributes:
        step, room: When.
        dies: The hosts that die.
        refuses: Whether the successor fails this step and says so.
        hangs: Whether the successor says nothing from here on: it may wake up when the old host has given up
            (`wakes`), or is killed then.
    """

    step: str
    room: int
    dies: tuple[str, ...] = ()
    refuses: bool = False
    hangs: bool = False
    wakes: bool = False


class Stopped(Exception):
    """The move of this room goes no further."""


class Copyover:
    """One copyover with at most one fault.

    Attributes:
        rows: Room -> its owner rows.
        runs: Room -> the hosts that run it.
        moved, kept: As the old host reports.
    """

    def __init__(self, rooms: int, fault: Fault | None = None) -> None:
        self.rows = [[Owner(1, OLD, 0, 0)] for _ in range(rooms)]
        self.runs: list[set[str]] = [{OLD} for _ in range(rooms)]
        self.alive = {OLD, NEW}
        self.answers = True
        self.moved: list[int] = []
        self.kept: list[KeptRoom] = []
        self._fault = fault
        self._arriving: dict[int, Arriving] = {}

    def go(self) -> Outcome:
        """All that happens until nothing can happen any more; returns what is reported if anybody is there to do so."""
        for room in range(len(self.rows)):
            if OLD not in self.alive:
                break
            if self.kept and not self.moved:
                self.kept.append(KeptRoom(str(room), self.kept[0].at, "another room had failed first"))
            else:
                self._move(room)
        if not self.answers and self._fault is not None and not self._fault.wakes:
            self._die(NEW)
        died = NEW not in self.alive and any(row.host == NEW for rows in self.rows for row in rows)
        for room in range(len(self.rows)):
            self._arrive_late(room)
            self._recover(room)
        return outcome(len(self.moved), self.kept, died=died)

    def _move(self, room: int) -> None:
        leaving, step = Leaving(OLD), "stop"
        try:
            for step in MOVING:
                self._point(step, room)
                self._step(step, room, leaving)
        except Stopped:
            if OLD in self.alive:
                self._abort(room, leaving, step)

    def _point(self, step: str, room: int) -> None:
        fault = self._fault
        if fault is not None and (step, room) == (fault.step, fault.room):
            for host in fault.dies:
                self._die(host)
            if fault.refuses:
                raise Stopped
            self.answers = self.answers and not fault.hangs
        if OLD not in self.alive:
            raise Stopped
        if step != "stop" and not (self.answers and NEW in self.alive):
            raise Stopped

    def _step(self, step: str, room: int, leaving: Leaving) -> None:
        match step:
            case "stop":
                self.runs[room].discard(OLD)
                leaving.stop(Offer(str(room), self.rows[room][-1], 7, 0, "value", Acknowledged({}, {})))
            case "offer":
                assert leaving.offer is not None
                self._arriving[room] = Arriving(NEW)
            case "verify":
                assert leaving.offer is not None
                assert not self._arriving[room].verify(leaving.offer, 7, "value")
            case "commit":
                self._claim(room, self._arriving[room].commit(), NEW)
                self._arriving[room].committed(self.rows[room][-1])
            case "route":
                self.runs[room].add(NEW)
            case "release":
                leaving.released()
                self.moved.append(room)

    def _abort(self, room: int, leaving: Leaving, step: str) -> None:
        """The old host takes the room back, or learns that it is the successor's."""
        if leaving.stage == "stopped":
            self._claim(room, leaving.abort(), OLD)
            leaving.aborted(self.rows[room][-1])
        if leaving.stage == "running":
            self.runs[room].add(OLD)
            self.kept.append(KeptRoom(str(room), step, "it failed"))
        else:
            self.moved.append(room)

    def _arrive_late(self, room: int) -> None:
        """A successor that had heard the offer goes on where it was."""
        arriving = self._arriving.get(room)
        if arriving is None or NEW not in self.alive:
            return
        if arriving.stage == "verified":
            self._claim(room, arriving.commit(), NEW)
            arriving.committed(self.rows[room][-1])
        if arriving.stage == "ours":
            self.runs[room].add(NEW)

    def _recover(self, room: int) -> None:
        row = self.rows[room][-1]
        if row.host not in self.alive:
            self._claim(room, Claim(str(room), row, row.from_c, row.branch), FRESH)
            self.runs[room].add(FRESH)

    def _claim(self, room: int, claim: Claim, host: str) -> None:
        row = claimed(self.rows[room][-1], claim, host)
        if row is not None:
            self.rows[room].append(row)

    def _die(self, host: str) -> None:
        self.alive.discard(host)
        for hosts in self.runs:
            hosts.discard(host)

    def owners(self) -> Sequence[str]:
        """The host that runs each room.

        Raises:
            AssertionError: Not exactly one does, or not the one that the owner row names.
        """
        for room, (hosts, rows) in enumerate(zip(self.runs, self.rows, strict=True)):
            assert hosts == {rows[-1].host}, f"room {room} runs in {sorted(hosts)}, its row says {rows[-1].host} (I1)"
        return [rows[-1].host for rows in self.rows]
