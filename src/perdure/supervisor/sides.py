"""The hosts of a copyover: who of them is there, who died, whose a room is, and waiting that ends when one dies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from perdure.control_lines import NO_SERVER
from perdure.errors import MovementAborted, PerdureError, StorageError, Unavailable
from perdure.movement.copyover_report import Death
from perdure.movement.copyover_rules import aborted
from perdure.ports import Owner
from perdure.supervisor.backoff import Backoff
from perdure.supervisor.host_instance import HostInstance
from perdure.supervisor.hosts import RECOVER_S, Hosts
from perdure.supervisor.legs import Leg
from perdure.supervisor.processes import Exit

RUNNING_S = 120.0
STATUS_S = 5.0
DEATH_S = 10.0
"""A host whose channel is closed is seen to be dead, or killed, within this."""
LOOK_S = 0.1

T = TypeVar("T")


class Sides:
    """The old hosts and their successor.

    A host that dies while nothing moves breaks the copyover off. While rooms move, its death says who serves: the
    successor, as the newest program that has rooms, or may have some.

    Args:
        owner: Reads a room's owner row.
        clock_s: A clock in seconds that only rises.
        warnings: Gets what somebody should know.

    Attributes:
        olds: The hosts that were there before, the serving one first.
        successor: Once there is one.
        legs: The movements between them.
        moving: Whether rooms may move: from here on no death breaks it off.
        broken: Ends with why it is not to be waited for any more.
        deaths: Those of them that died.
        noticed: Whether one did that had rooms, or may have had some: players saw that.
    """

    def __init__(
        self,
        hosts: Hosts,
        owner: Callable[[str], Owner | None],
        clock_s: Callable[[], float],
        warnings: list[str],
    ) -> None:
        self._hosts, self._owner, self._clock_s, self._warnings = hosts, owner, clock_s, warnings
        self.olds = [hosts.serving, *(host for host in hosts.all if host is not hosts.serving)]
        self.successor: HostInstance | None = None
        self.legs: list[Leg] = []
        self.moving = False
        self.broken: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.deaths: list[Death] = []
        self.noticed = False
        self._how_died: dict[str, str] = {}
        self._death = asyncio.Event()
        for old in self.olds:
            old.on_death = partial(self._old_died, old)

    def add_successor(self, host: HostInstance) -> None:
        """It is there, and watched from here on."""
        self.successor = host
        host.loads = False  # if it has to be started again: what it is to load is known here
        host.on_death = partial(self._successor_died, host)
        if host not in self._hosts.all:
            self.break_off(f"the successor {host.name} died as soon as it was ready. Why: perdure events")

    def let_go(self) -> None:
        """Nobody's death concerns this any more."""
        for host in (*self.olds, *([self.successor] if self.successor is not None else [])):
            host.on_death, host.loads = None, True

    # --- deaths ---

    def break_off(self, reason: str) -> None:
        """End it before anything moves, or what it only waits for afterwards; the first reason counts."""
        if not self.broken.done():
            self.broken.set_result(reason)

    def died(self, host: HostInstance | None) -> str:
        """How it died during this copyover, "" if it did not."""
        return self._how_died.get(host.name, "") if host is not None else ""

    async def wait_any_death(self) -> None:
        """Until a host dies that had not died before."""
        known = len(self._how_died)
        while len(self._how_died) == known:
            self._death.clear()
            await self._death.wait()

    async def wait_death(self, host: HostInstance) -> None:
        """Until the host's death is noticed, or it turns out to live."""
        with suppress(TimeoutError):
            async with asyncio.timeout(DEATH_S):
                while not self.died(host):
                    await self.wait_any_death()

    async def _old_died(self, old: HostInstance, exit: Exit) -> None:
        how = told_exit(exit)
        reason = f"{old.name}, the old host, {how}"
        self._note_death(old, how, reason)
        if not self.moving:
            again = " Its program is started again, and takes its rooms back." if old is self._hosts.serving else ""
            self.break_off(f"{reason}.{again}")
        elif self.successor is not None and not self.died(self.successor) and old is self._hosts.serving:
            self.let_serve(self.successor)

    async def _successor_died(self, successor: HostInstance, exit: Exit) -> None:
        last = successor.instance.last
        how = told_exit(exit)
        reason = f"the successor {successor.name} {how}" + (f": {last}" if last else "")
        self._note_death(successor, how, reason)
        if not self.moving:
            self.break_off(f"{reason}. Why: logs/{successor.name}.log in the state folder.")
        elif self._may_have_rooms(successor.incarnation):
            self.let_serve(successor)  # so it is started again

    def _note_death(self, host: HostInstance, how: str, reason: str) -> None:
        self._how_died[host.name] = reason
        self.deaths.append(Death(host.name, how, host in self.olds))
        if host in self.olds or self.moving:
            self.noticed = True
        self._death.set()

    def _may_have_rooms(self, incarnation: str) -> bool:
        """Whether a host that died owned a room; a row that cannot be read counts as one: nothing is lost by that."""
        for room in (room for leg in self.legs for room in leg.rooms):
            try:
                row = self._owner(room)
            except StorageError:
                return True
            if row is not None and row.host == incarnation:
                return True
        return False

    # --- who ---

    def let_serve(self, host: HostInstance) -> None:
        """Make it the serving host, if it is still there."""
        if host in self._hosts.all and self._hosts.serving is not host:
            self._hosts.serve(host)

    def host_of(self, room: str) -> HostInstance | None:
        """Whose room it is by its owner row; None for one whose owner is gone."""
        try:
            row = self._owner(room)
        except StorageError as error:
            self._warnings.append(f"the owner of room {room} could not be read: {error}")
            return None
        return next((host for host in self._hosts.all if row is not None and host.incarnation == row.host), None)

    async def wait_running(self, host: HostInstance) -> bool:
        """Wait until a host that died, or is starting, answers; whether it does."""
        until_s = self._clock_s() + RUNNING_S
        while self._clock_s() < until_s:
            try:
                await host.ask("status", timeout_s=STATUS_S)
            except PerdureError:
                await asyncio.sleep(LOOK_S)
            else:
                return True
        return False

    async def recovered(self, dead: str) -> None:
        """Wait until the serving host has taken what this incarnation left, or nobody can say when it will.

        A host may take an incarnation that has ended for alive a moment longer; it is asked again then.
        """
        until_s, backoff = self._clock_s() + RECOVER_S, Backoff()
        while True:
            heir = self._hosts.serving
            try:
                if await self.wait_running(heir):
                    await heir.ask("recover", {"dead": [dead]}, timeout_s=RECOVER_S)
                return
            except PerdureError as error:
                if self._clock_s() > until_s:
                    self._warnings.append(f"{heir.name} could not take the rooms of a dead host at once: {error}")
                    return
            await asyncio.sleep(backoff.next_delay_s())

    # --- waiting ---

    async def unbroken(self, work: Coroutine[Any, Any, T], step: str) -> T:
        """The work's result, unless this is broken off before it is there.

        Raises:
            MovementAborted: That, or the work failed.
        """
        task = asyncio.ensure_future(work)
        broken: asyncio.Future[Any] = self.broken
        try:
            await asyncio.wait([task, broken], return_when=asyncio.FIRST_COMPLETED)
            if task.done() and not broken.done() and _lost_channel(task):
                await asyncio.wait([broken], timeout=DEATH_S)  # the death, noticed a moment later, says more
            if broken.done():
                raise aborted(step, self.broken.result())
            return task.result()
        except MovementAborted:
            raise
        except PerdureError as error:
            raise aborted(step, str(error)) from error
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait([task])


def told_exit(exit: Exit) -> str:
    """How a host ended, behind its name."""
    return f"was {exit}" if exit.signal else str(exit)


def _lost_channel(task: asyncio.Future[Any]) -> bool:
    error = task.exception() if not task.cancelled() else None
    return isinstance(error, Unavailable) and error.op == NO_SERVER
