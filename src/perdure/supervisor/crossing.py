"""The move of a copyover: rooms leave the old hosts for the successor, and what came of it is settled.

When an old host does not say how its part ended, the owner rows do, once every death is dealt with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

import msgspec

from perdure.control_lines import NO_SERVER
from perdure.errors import PerdureError, Unavailable
from perdure.movement.copyover_report import CopyoverReport, KeptRoom
from perdure.movement.copyover_rules import MovedRoom, aborted, outcome, pauses
from perdure.movement.wording import listed
from perdure.supervisor.host_instance import HostInstance
from perdure.supervisor.hosts import Hosts
from perdure.supervisor.legs import Leg
from perdure.supervisor.sides import Sides

RECOVER_S = 120.0


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
            await self.read_rows(leg, rooms, error)

    async def read_rows(self, leg: Leg, rooms: Sequence[str], error: PerdureError) -> None:
        """The old host did not say what became of these rooms: deal with its death, and look whose they are."""
        if isinstance(error, Unavailable):
            if error.op != NO_SERVER:
                leg.source.instance.kill("it did not say how the move ended")
            await self.sides.wait_death(leg.source)
        died = bool(self.sides.died(leg.source))
        if died:
            await self._recover(leg.incarnation)
        for room in rooms:
            host = self.sides.host_of(room)
            if host is self.successor:
                leg.moved.append(MovedRoom(room))
                leg.recovered += died
            else:
                leg.kept.append(KeptRoom(room, "commit", str(error), (host or leg.source).name))

    async def _recover(self, dead: str) -> None:
        heir = self._hosts.serving
        try:
            if await self.sides.wait_running(heir):
                await heir.ask("recover", {"dead": [dead]}, timeout_s=RECOVER_S)
        except PerdureError as error:
            self.report.warnings.append(f"{heir.name} could not take the rooms of a dead host at once: {error}")

    async def settle(self, refused: Sequence[KeptRoom]) -> None:
        """Say what came of it, when it is known for every room.

        Args:
            refused: Rooms that were to stay, with --partial.

        Raises:
            MovementAborted: Nothing moved, and the old hosts are as before.
        """
        report, legs = self.report, self.sides.legs
        failed = [room for leg in legs for room in leg.kept]
        died, forward = self.sides.died(self.successor), self._hosts.serving is self.successor
        report.outcome = outcome(len(self.moved) + forward, failed, died=bool(died))
        if report.outcome == "aborted":
            at, reason = (failed[0].at, f"room {failed[0].room}: {failed[0].reason}") if failed else ("stop", "")
            raise aborted(at, died or reason)
        self.sides.let_serve(self.successor)
        report.rooms.moved, report.rooms.kept = len(self.moved), [*refused, *failed]
        report.rooms.recovered = len(self.moved) if died else sum(leg.recovered for leg in legs)
        report.pause_ms = pauses(self.moved)
        if report.outcome == "partial":
            report.reason = died or f"room {failed[0].room} was kept: {failed[0].reason}"
        if died and not await self.sides.wait_running(self.successor):
            report.warnings.append(f"{self.successor.name} does not run again yet. Why: perdure events")

    async def finish(self, legs: Sequence[Leg], target: Mapping[str, str] | None) -> None:
        """The successor drops what did not move, and loads the code that is to come."""
        if self.sides.died(self.successor):
            return  # its next incarnation loads what lies on disk when it starts
        for leg in legs:
            try:
                self.report.reloads += await leg.finish(reload=leg is legs[-1], target=target)
            except PerdureError as error:
                if isinstance(error, Unavailable) and error.op == NO_SERVER:
                    await self.sides.wait_death(self.successor)
                if died := self.sides.died(self.successor):
                    self.report.warnings.append(
                        f"{died} when all had moved; its program is started again, and recovers."
                    )
                    await self.sides.wait_running(self.successor)
                    return
                what = "could not load the code that is to come"
                self.report.warnings.append(f"{self.successor.name} {what}: {error} Try: perdure reload")

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


def host_generations(legs: Sequence[Leg], rooms: Collection[str]) -> dict[str, str]:
    """Which code these rooms ran before they moved, by game."""
    found: dict[str, str] = {}
    for leg in legs:
        for room in leg.opened.rooms if leg.opened is not None else []:
            if room["room"] in rooms and msgspec.convert(room.get("generation", ""), str):
                found.setdefault(str(room["game"]), str(room["generation"]))
    return found
