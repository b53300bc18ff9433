"""A copyover's canary: some rooms move first and are watched; then the others follow, or these go back.

Both halves are movements of their own, with copies of their own: a watch may last an hour. Going back is a second
copyover, with a report of its own. An old host that dies meanwhile decides for it: its rooms follow, because what
recovers them is the newest program that has rooms.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

import msgspec

from perdure.errors import MovementAborted, PerdureError, ProtocolError
from perdure.movement import canary
from perdure.movement.copyover_order import CopyoverOrder
from perdure.movement.copyover_report import Builds, CopyoverCanary, CopyoverReport, Programs
from perdure.movement.copyover_rules import choose, move_steps, pauses
from perdure.movement.report import Measured
from perdure.supervisor.crossing import Crossing, host_generations
from perdure.supervisor.events import EventLog
from perdure.supervisor.host_instance import HostInstance
from perdure.supervisor.hosts import Hosts
from perdure.supervisor.instance import first_of
from perdure.supervisor.legs import Leg

MEASURE_S = 10.0


class Trial:
    """The canary of one copyover.

    Args:
        rooms: All that are to move in the end.
        target: The code that the rooms get in the successor; None for what lies on disk.
    """

    def __init__(
        self,
        crossing: Crossing,
        hosts: Hosts,
        events: EventLog,
        order: CopyoverOrder,
        rooms: Collection[str],
        target: Mapping[str, str] | None,
    ) -> None:
        assert order.canary is not None
        assert order.watch_s is not None
        self._crossing, self._hosts, self._events, self._rooms, self._target = crossing, hosts, events, rooms, target
        self._sides, self._report, self._successor = crossing.sides, crossing.report, crossing.successor
        self._old = self._sides.olds[0]
        self._first = list(self._sides.legs)
        self._cut = asyncio.Event()
        self._why_cut = ""
        picked = canary.choose(rooms, order.canary, self._successor.ready.source)
        self.seen = CopyoverCanary(order.canary, order.watch_s, picked)
        self._report.canary = self.seen

    def cut(self, reason: str) -> None:
        """End the watch: the rooms go back."""
        self._why_cut = self._why_cut or reason
        self._cut.set()

    async def run(self) -> bool:
        """Try it. Returns whether it is over, because the rooms went back or should have; else it is to be settled."""
        await self._crossing.move(self._first, self.seen.rooms, serve=False)
        if not self._crossing.moved:
            return False
        failed = [room for leg in self._first for room in leg.kept]
        verdict = canary.Verdict(False, f"room {failed[0].room}: {failed[0].reason}") if failed else None
        if verdict is None:
            await self._crossing.finish(self._first, self._target)
            verdict = await self._watch()
        if self._forward:
            verdict = canary.Verdict(True, f"{self._sides.died(self._old)}, so its rooms follow.")
        self.seen.went_on, self.seen.reason = verdict
        if verdict.go_on and not (problem := await self._follow()):
            return False
        if self._forward:
            return False
        if verdict.go_on:
            self.seen.went_on, self.seen.reason = False, problem
        return await self._go_back()

    @property
    def _forward(self) -> bool:
        """Whether the old host is lost, so that nothing can go back to it."""
        return bool(self._sides.died(self._old))

    # --- watching ---

    async def _watch(self) -> canary.Verdict:
        of = len(self._rooms)
        self._events.emit(
            "copyover-canary", id=self._report.id, moved=len(self.seen.rooms), of=of, watch_s=self.seen.watch_s
        )
        try:
            await self._measure(clear=True)
            await first_of(self._cut.wait(), self._sides.wait_any_death(), timeout_s=self.seen.watch_s)
            if reason := self._sides.died(self._successor) or self._why_cut:
                return canary.Verdict(False, reason)
            await self._measure(clear=False)
        except PerdureError as error:
            return canary.Verdict(False, self._sides.died(self._successor) or str(error))
        return canary.judge(self.seen.moved, self.seen.unmoved)

    async def _measure(self, *, clear: bool) -> None:
        self.seen.moved = await self._measured(self._successor, clear)
        sides = [await self._measured(old, clear) for old in self._sides.olds if not self._sides.died(old)]
        self.seen.unmoved = Measured(
            sum(side.rooms for side in sides),
            sum(side.callbacks for side in sides),
            sum(side.faults for side in sides),
            max((side.tick_p99_ms for side in sides), default=0.0),
        )

    async def _measured(self, host: HostInstance, clear: bool) -> Measured:
        answer = await host.ask("movement.measure", {"rooms": None, "clear": clear}, timeout_s=MEASURE_S)
        try:
            return msgspec.convert(answer, Measured)
        except msgspec.ValidationError as error:
            raise ProtocolError(f"{host.name} answered movement.measure with what is no measure: {error}") from error

    # --- going on ---

    async def _follow(self) -> str:
        """The other rooms follow, proved anew; returns why they cannot, "" if they did or nothing is left to decide."""
        arrived = {room.room for room in self._crossing.moved}
        code = self._report.program.to.generations or None
        legs, answers = [], []
        for first in self._first:
            rest = [room for room in first.rooms if room in self._rooms and room not in arrived]
            if not rest:
                continue
            leg = Leg(f"{first.id}.rest", first.source, self._successor)
            self._sides.legs.append(leg)
            try:
                await first.close(gone=False)  # a host has one movement open at a time
                await leg.open(rest)
                answers.append(await leg.prepare(target=code, disk=code is None))
            except PerdureError as error:
                await self._sides.wait_death(first.source) if self._successor is self._hosts.serving else None
                if not self._sides.died(first.source):
                    return self._sides.died(self._successor) or str(error)
                await self._crossing.read_rows(leg, rest, error)
                continue
            legs.append(leg)
        try:
            chosen = choose([room for leg in legs for room in leg.rooms], answers, partial=False)
        except MovementAborted as refused:
            return str(refused)
        await self._crossing.move(legs, chosen.rooms, serve=True)
        await self._crossing.finish(legs, code)
        return ""

    # --- going back ---

    async def _go_back(self) -> bool:
        """The second copyover: from the successor to the old host, with the code that the rooms had."""
        main, successor, old = self._report, self._successor, self._old
        back = CopyoverReport(
            by=main.by, trigger="canary", quiet=main.quiet, build=Builds(main.build.to, main.build.from_),
            program=Programs(main.program.to, main.program.from_),
        )  # fmt: skip
        self.seen.back = back
        if self._sides.died(successor):
            await self._sides.wait_running(successor)
        leg = Leg(f"{main.id}.back", successor, old)
        at, code = "prepare", host_generations(self._first, self.seen.rooms)
        try:
            await leg.open()
            answer = await leg.prepare(target=code)
            choose(leg.rooms, [answer], partial=False)
            at = "stop"
            await leg.move(leg.rooms, all_or_nothing=True)
            at = leg.kept[0].at if leg.kept else at
        except PerdureError as error:
            back.reason = str(error)
        else:
            back.reason = f"room {leg.kept[0].room}: {leg.kept[0].reason}" if leg.kept else ""
        back.rooms.moved, back.rooms.kept, back.pause_ms = len(leg.moved), leg.kept, pauses(leg.moved)
        back.steps = move_steps(leg.moved)
        if back.reason:
            return await self._stay(back, at)
        back.outcome = "committed"
        await self._arrive_back(leg, code)
        back.serving = self._hosts.serving.name
        main.outcome, main.aborted_at = "aborted", "release"
        main.reason = f"the canary went back: {self.seen.reason}"
        return True

    async def _arrive_back(self, leg: Leg, code: Mapping[str, str]) -> None:
        """The old host has its rooms again: it serves, and the successor goes."""
        assert self.seen.back is not None
        self._sides.let_serve(self._old)
        self._successor.on_death = None
        try:
            self.seen.back.reloads = await leg.finish(reload=True, target=code)
            await leg.close(gone=True)
        except PerdureError as error:
            self._report.warnings.append(f"after going back: {error}")
        await self._crossing.end(self._successor)
        for old in self._sides.olds:
            await self._crossing.close_legs(old, gone=False)

    async def _stay(self, back: CopyoverReport, at: str) -> bool:
        """They could not go back: each host keeps what it has."""
        back.outcome, back.aborted_at = ("partial" if back.rooms.moved else "aborted"), at
        back.serving = self._hosts.serving.name
        self._report.outcome = "partial"
        self._report.rooms.moved = len(self._crossing.moved) - back.rooms.moved
        self._report.reason = f"the canary was to go back ({self.seen.reason}), and could not: {back.reason}"
        for old in self._sides.olds:
            await self._crossing.close_legs(old, gone=False)
        return True
