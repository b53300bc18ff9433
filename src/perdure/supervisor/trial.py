"""A copyover's canary: the new program has some rooms first and is watched; then the others follow, or these go back.

What is tried is the program: Perdure, Python, libraries. All rooms run the code that they ran, in both hosts, so no
code has to be gone back from; the code that is to come is tried afterwards, by the reload that loads it. The two
halves are movements of their own, each with copies of its own: a watch may last an hour. Going back is a second
copyover, with a report of its own. An old host that dies meanwhile decides for it: its rooms follow, because what
recovers them is the newest program that has rooms.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

import msgspec

from perdure.errors import PerdureError, ProtocolError
from perdure.movement import canary
from perdure.movement.canary import Verdict
from perdure.movement.copyover_order import CopyoverOrder
from perdure.movement.copyover_report import Builds, CopyoverCanary, CopyoverReport, KeptRoom, Programs
from perdure.movement.copyover_rules import MOVE_STEPS, Prepared, choose, move_steps, pauses
from perdure.movement.report import Measured
from perdure.supervisor.crossing import Crossing
from perdure.supervisor.events import EventLog
from perdure.supervisor.host_instance import HostInstance
from perdure.supervisor.hosts import Hosts
from perdure.supervisor.instance import first_of
from perdure.supervisor.legs import CodeCanary, Leg
from perdure.supervisor.locks import Locks

MEASURE_S = 10.0


class Trial:
    """The canary of one copyover.

    Args:
        rooms: All that are to move in the end.
        target: The code that the rooms get in the successor; None for what lies on disk.
        locks: Are lifted while it is watched.
        ask_vetoes: Awaited with a step before the other rooms move; raises MovementAborted if a game objects.
    """

    def __init__(
        self,
        crossing: Crossing,
        hosts: Hosts,
        events: EventLog,
        order: CopyoverOrder,
        rooms: Collection[str],
        target: Mapping[str, str] | None,
        locks: Locks,
        clock_s: Callable[[], float],
        ask_vetoes: Callable[[str], Awaitable[None]],
    ) -> None:
        assert order.canary is not None
        assert order.watch_s is not None
        self._crossing, self._hosts, self._events, self._rooms, self._target = crossing, hosts, events, rooms, target
        self._locks, self._clock_s, self._ask_vetoes = locks, clock_s, ask_vetoes
        self._sides, self._report, self._successor = crossing.sides, crossing.report, crossing.successor
        self._old = self._sides.olds[0]
        self._first = list(self._sides.legs)
        self._cut = asyncio.Event()
        self._why_cut = ""
        self._judged = False
        self._until_s: float | None = None
        self.of_code = CodeCanary(order.canary, order.watch_s)
        picked = canary.choose(rooms, order.canary, self._successor.ready.source)
        self.seen = CopyoverCanary(order.canary, order.watch_s, picked)
        self._report.canary = self.seen

    @property
    def watching(self) -> dict[str, Any] | None:
        """What is watched just now: how many rooms of how many, and for how many seconds more."""
        if self._until_s is None:
            return None
        left_s = round(max(0.0, self._until_s - self._clock_s()), 1)
        return {"rooms": len(self.seen.rooms), "of": len(self._rooms), "left_s": left_s}

    def cut(self, reason: str) -> bool:
        """End the watch: the rooms go back. False when it is too late, because the watch is over."""
        if self._judged:
            return False
        self._why_cut = self._why_cut or reason
        self._cut.set()
        return True

    async def run(self) -> bool:
        """Try it. Returns whether the copyover is to be settled; else its rooms went back, or should have."""
        await self._crossing.move(self._first, self.seen.rooms, serve=False)
        if not self._crossing.moved:
            self._judged = True
            return True
        verdict = await self._part()
        if verdict.go_on:
            verdict = await self._watch()
        self._judged = True
        verdict = self._unless_lost(Verdict(False, self._why_cut) if self._why_cut else verdict)
        if verdict.go_on:
            verdict = self._unless_lost(await self._follow(verdict))
        self.seen.went_on, self.seen.reason = verdict
        if self._is_lost:
            await self._settle_lost()
        if not verdict.go_on:
            await self._go_back()
        return verdict.go_on

    @property
    def _is_lost(self) -> bool:
        """Whether the old host is, so that nothing can go back to it."""
        return bool(self._sides.died(self._old))

    def _unless_lost(self, verdict: Verdict) -> Verdict:
        return Verdict(True, f"{self._sides.died(self._old)}, so its rooms follow.") if self._is_lost else verdict

    # --- watching ---

    async def _part(self) -> Verdict:
        """Both programs serve side by side: neither follows the other, and games may begin what they like."""
        try:
            await self._first[-1].forget()
            for leg in self._first:
                if not self._sides.died(leg.source):
                    await leg.close(gone=False, hold=True)
        except PerdureError as error:
            return Verdict(False, self._sides.died(self._successor) or str(error))
        finally:
            await self._locks.lift()
        failed = [room for leg in self._first for room in leg.kept]
        return Verdict(False, f"room {failed[0].room}: {failed[0].reason}") if failed else Verdict(True, "")

    async def _watch(self) -> Verdict:
        of, seen = len(self._rooms), self.seen
        self._events.emit("copyover-canary", id=self._report.id, moved=len(seen.rooms), of=of, watch_s=seen.watch_s)
        try:
            await self._measure(clear=True)
            began_s = self._clock_s()
            self._until_s = began_s + seen.watch_s
            await first_of(self._cut.wait(), self._sides.wait_any_death(), timeout_s=seen.watch_s)
            self._until_s, seen.watched_s = None, round(self._clock_s() - began_s, 1)
            if died := self._sides.died(self._successor):
                return Verdict(False, died)
            await self._measure(clear=False)
        except PerdureError as error:
            return Verdict(False, self._sides.died(self._successor) or str(error))
        return canary.judge(seen.moved, seen.unmoved)

    async def _measure(self, *, clear: bool) -> None:
        self.seen.moved = await self._measured(self._successor, clear)
        sides = [await self._measured(old, clear) for old in self._sides.olds if not self._sides.died(old)]
        self.seen.unmoved = Measured(
            sum(side.rooms for side in sides),
            sum(side.callbacks for side in sides),
            sum(side.faults for side in sides),
            max((side.tick_p50_ms for side in sides), default=0.0),
            max((side.tick_p99_ms for side in sides), default=0.0),
        )

    async def _measured(self, host: HostInstance, clear: bool) -> Measured:
        answer = await host.ask("movement.measure", {"rooms": None, "clear": clear}, timeout_s=MEASURE_S)
        try:
            return msgspec.convert(answer, Measured)
        except msgspec.ValidationError as error:
            raise ProtocolError(f"{host.name} answered movement.measure with what is no measure: {error}") from error

    # --- going on ---

    async def _follow(self, verdict: Verdict) -> Verdict:
        """The other rooms follow, proved anew; those too that are new since."""
        legs: list[Leg] = []
        answers: list[Prepared] = []
        try:
            await self._locks.passing(0.0)
            for number, old in enumerate(self._sides.olds, 1):
                if self._sides.died(old):
                    continue
                leg = Leg(f"{self._report.id}.{number}.rest", old, self._successor)
                self._sides.legs.append(leg)
                legs.append(leg)
                await leg.open()
                answers.append(await leg.prepare(target=self._target, disk=self._target is None))
            chosen = choose([room for leg in legs for room in leg.rooms], answers, partial=False)
            await self._ask_vetoes("prepare")
        except PerdureError as error:
            if self._successor is self._hosts.serving:  # the old host is being lost, and it is not noticed yet
                await self._sides.wait_death(self._old)
            return Verdict(False, self._sides.died(self._successor) or str(error))
        await self._crossing.move(legs, chosen.rooms, serve=True)
        return verdict

    async def _settle_lost(self) -> None:
        """Rooms of which nobody said what became of them, because an old host died: their owner rows say it."""
        told = {room.room for leg in self._sides.legs for room in leg.moved}
        told |= {room.room for leg in self._sides.legs for room in leg.kept}
        for leg in self._sides.legs:
            if died := self._sides.died(leg.source):
                await self._sides.recovered(leg.incarnation)
            before, rest = len(leg.moved), [room for room in leg.rooms if room not in told]
            leg.settle(rest, self._sides.host_of, died or "it did not follow")
            leg.recovered += len(leg.moved) - before if died else 0
            told.update(rest)

    # --- going back ---

    async def _go_back(self) -> None:
        """The second copyover: from the successor to the old host."""
        main, successor = self._report, self._successor
        back = self.seen.back = CopyoverReport(
            by=main.by, trigger="canary", quiet=main.quiet, build=Builds(main.build.to, main.build.from_),
            program=Programs(main.program.to, main.program.from_), aborted_at="prepare", of=main.id,
        )  # fmt: skip
        if self._sides.died(successor):
            await self._sides.wait_running(successor)
        leg = Leg(f"{main.id}.back", successor, self._old)
        try:
            await self._move_back(leg, back)
        except PerdureError as error:
            back.reason = str(error)
        back.rooms.moved, back.rooms.kept, back.pause_ms = len(leg.moved), leg.kept, pauses(leg.moved)
        back.steps = move_steps(leg.moved)
        await (self._stay(leg, back) if back.reason else self._be_back(leg, back))
        for old in self._sides.olds:
            await self._crossing.close_legs(old, gone=False)

    async def _move_back(self, leg: Leg, back: CopyoverReport) -> None:
        await leg.open()
        answer = await leg.prepare()
        back.bytes, back.hash_mismatches = answer.bytes, answer.hash_mismatches
        choose(leg.rooms, [answer], partial=False)
        back.aborted_at = MOVE_STEPS[0]
        try:
            await leg.move(leg.rooms, all_or_nothing=True)
        except PerdureError as error:
            await self._crossing.settle_lost(leg, leg.rooms, error)
        if leg.kept:
            back.aborted_at = leg.kept[0].at or back.aborted_at
            back.reason = f"room {leg.kept[0].room}: {leg.kept[0].reason}"

    async def _be_back(self, leg: Leg, back: CopyoverReport) -> None:
        """The old host has its rooms again: it serves, and the successor goes."""
        main = self._report
        back.outcome, back.aborted_at = "committed", None
        self._sides.let_serve(self._old)
        back.serving = self._hosts.serving.name
        self._successor.on_death = None
        await self._let_go(leg, gone=True)
        await self._crossing.end(self._successor)
        main.outcome, main.aborted_at = "aborted", MOVE_STEPS[-1]
        main.reason = f"the canary went back: {self.seen.reason}"

    async def _stay(self, leg: Leg, back: CopyoverReport) -> None:
        """They could not go back: each host keeps what it has, and the newest program that has rooms serves."""
        main, returned = self._report, {room.room for room in leg.moved}
        there = {room.room for room in self._crossing.moved} - returned
        self._sides.let_serve(self._successor)
        await self._let_go(leg, gone=False)
        back.outcome, back.serving = ("partial" if returned else "aborted"), self._hosts.serving.name
        main.outcome, main.rooms.moved, main.pause_ms = "partial", len(there), pauses(self._crossing.moved)
        main.reason = f"the canary was to go back ({self.seen.reason}), and could not: {back.reason}"
        main.rooms.kept = [
            KeptRoom(room, MOVE_STEPS[0], "the canary was to go back", self._old.name)
            for room in self._rooms
            if room not in there
        ]

    async def _let_go(self, leg: Leg, *, gone: bool) -> None:
        for host, error in await leg.let_go(gone=gone):
            if not self._sides.died(host):
                self._report.warnings.append(f"after going back: {host.name} was not told that it is over: {error}")
