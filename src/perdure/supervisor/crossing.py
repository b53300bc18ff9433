"""The move of a copyover: rooms leave the old hosts for the successor, and what came of it is settled.

When an old host does not say how its part ended, the owner rows do, once every death is dealt with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from perdure.control_lines import NO_SERVER
from perdure.errors import PerdureError, Unavailable
from perdure.movement.copyover_report import CopyoverReport, KeptRoom
from perdure.movement.copyover_rules import MOVE_STEPS, MovedRoom, aborted, outcome, pauses
from perdure.movement.report import ReloadReport
from perdure.movement.wording import listed, sentence
from perdure.supervisor.host_instance import HostInstance
from perdure.supervisor.hosts import Hosts
from perdure.supervisor.legs import CodeCanary, Leg
from perdure.supervisor.sides import Sides

GONE = " is gone"
"""What an old host says of a successor that died; how it died is known here."""
FINISH_TRIES = 3
"""A successor that dies whenever it loads the code that is to come is left with the code that it has."""


class Crossing:
    """Moves rooms to a successor that has proved them.

    Args:
        report: Is filled in on the way.
        successor: One of `sides`, who may move rooms from here on.
    """

    def __init__(self, hosts: Hosts, sides: Sides, report: CopyoverReport, successor: HostInstance) -> None:
        self._hosts, self.sides, self.report, self.successor = hosts, sides, report, successor
        sides.moving = True

    @property
    def moved(self) -> list[MovedRoom]:
        """The rooms that left an old host."""
        return [room for leg in self.sides.legs for room in leg.moved]

    async def move(self, legs: Sequence[Leg], rooms: Collection[str], *, serve: bool) -> None:
        """Move these rooms, one old host after the other; the first that fails ends it if nothing moved before.

        Args:
            serve: The successor serves as soon as one has arrived.
        """
        for leg in legs:
            mine = [room for room in leg.rooms if room in rooms]
            if mine:
                await self._move(leg, mine)
            if serve and leg.moved:
                self.sides.let_serve(self.successor)
            elif leg.kept and not self.moved:
                return

    async def _move(self, leg: Leg, rooms: Sequence[str]) -> None:
        if reason := self.sides.died(self.successor):
            leg.kept += [KeptRoom(room, "stop", reason, leg.source.name) for room in rooms]
            return
        try:
            await leg.move(rooms, all_or_nothing=not self.moved)
        except PerdureError as error:
            await self.settle_lost(leg, rooms, error)

    async def settle_lost(self, leg: Leg, rooms: Sequence[str], error: PerdureError) -> None:
        """The old host did not say what became of these rooms: deal with its death, and look whose they are."""
        if isinstance(error, Unavailable):
            if error.op != NO_SERVER:
                leg.source.instance.kill("it did not say how the move ended")
            await self.sides.wait_death(leg.source)
        before = len(leg.moved)
        if died := self.sides.died(leg.source):
            await self.sides.recovered(leg.incarnation)
        leg.settle(rooms, self.sides.host_of, str(error))
        if died:
            leg.recovered += len(leg.moved) - before

    async def settle(self, refused: Sequence[KeptRoom]) -> None:
        """Say what came of it, when it is known for every room.

        Args:
            refused: Rooms that were to stay, with --partial.

        Raises:
            MovementAborted: Nothing moved, and the old hosts are as before.
        """
        report, legs = self.report, self.sides.legs
        if not self.sides.died(self.successor) and any(GONE in room.reason for leg in legs for room in leg.kept):
            await self.sides.wait_death(self.successor)  # the old host may see it first
        died, forward = self.sides.died(self.successor), self._hosts.serving is self.successor
        if died:
            for leg in legs:
                leg.kept = [replace(room, reason=died) if GONE in room.reason else room for room in leg.kept]
        failed = [room for leg in legs for room in leg.kept]
        report.outcome = outcome(len(self.moved) + forward, failed, died=bool(died))
        if report.outcome == "aborted":
            reason = f"room {failed[0].room}: {failed[0].reason}" if failed else ""
            raise aborted(failed[0].at or MOVE_STEPS[0] if failed else MOVE_STEPS[0], died or reason)
        self.sides.let_serve(self.successor)
        report.rooms.moved, report.rooms.kept = len(self.moved), [*refused, *failed]
        report.rooms.recovered = len(self.moved) if died else sum(leg.recovered for leg in legs)
        report.pause_ms = pauses(self.moved)
        if report.outcome == "partial":
            report.reason = died or f"room {failed[0].room} was kept: {failed[0].reason}"
        self._warn_of_death()
        if died and not await self.sides.wait_running(self.successor):
            report.warnings.append(f"{self.successor.name} does not run again yet. Why: perdure events")

    def _warn_of_death(self) -> None:
        """What is committed all the same says it once, beside its reason."""
        died = self.sides.died(self.successor)
        warning = f"{died} when all had moved; its program is started again, and recovers."
        if died and self.report.outcome == "committed" and warning not in self.report.warnings:
            self.report.warnings.append(warning)

    async def finish(self, leg: Leg, target: Mapping[str, str] | None, tried: CodeCanary | None = None) -> None:
        """The successor drops what did not move, and loads the code that is to come.

        If it dies meanwhile, its next incarnation is told the same: what lies on disk may be something else.
        """
        problem = ""
        for _ in range(FINISH_TRIES):
            try:
                self.report.reloads += await self._finished(leg, target, tried)
                return
            except PerdureError as error:
                problem = str(error)
                if not isinstance(error, Unavailable) or error.op != NO_SERVER:
                    break
            await self.sides.wait_death(self.successor)
            self._warn_of_death()
            await self.sides.wait_running(self.successor)
        self.report.warnings.append(
            f"{self.successor.name} could not load the code that is to come: {sentence(problem)} "
            "Which code runs: perdure modules"
        )

    async def _finished(
        self, leg: Leg, target: Mapping[str, str] | None, tried: CodeCanary | None
    ) -> list[ReloadReport]:
        finishing = asyncio.ensure_future(leg.finish(reload=True, target=target, tried=tried))
        either: list[asyncio.Future[Any]] = [finishing, self.sides.broken]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not finishing.done():
                raise aborted("release", self.sides.broken.result())
            return finishing.result()
        finally:
            finishing.cancel()

    async def close(self) -> None:
        """The old hosts end; those that kept rooms stay."""
        keeps = {room.host for room in self.report.rooms.kept}
        for old in self.sides.olds:
            if old not in self._hosts.all or self.sides.died(old):
                continue
            gone = old.name not in keeps
            closed = await self.close_legs(old, gone=gone)
            if gone and closed:
                await self.end(old)

    async def close_legs(self, old: HostInstance, *, gone: bool) -> bool:
        """Tell an old host that it is over; whether it has no rooms."""
        rooms: list[str] = []
        try:
            for leg in self.sides.legs:
                if leg.source is old and leg.opened is not None:
                    rooms = await leg.close(gone=gone)
        except PerdureError as error:
            if isinstance(error, Unavailable) and error.op == NO_SERVER:
                await self.sides.wait_death(old)
            if not self.sides.died(old):
                self.report.warnings.append(f"{old.name} stays as it is: {error}")
            return False
        if gone and rooms:
            self.report.warnings.append(f"{old.name} stays: it still has {listed(rooms)}. Copy over again.")
        return not rooms

    async def end(self, host: HostInstance) -> None:
        """End a host that has no rooms."""
        host.on_death = None
        if host in self._hosts.all and host is not self._hosts.serving:
            await self._hosts.end(host, hurry=asyncio.Event())
