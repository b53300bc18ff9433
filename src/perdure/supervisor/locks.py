"""Feature locks: what games should not begin any more shortly before rooms move ("no new auctions")."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from perdure.errors import PerdureError, Unavailable
from perdure.supervisor.host_instance import HostInstance
from perdure.supervisor.hosts import Hosts

LOCK_S = 5.0
REASON = "a new version is about to take over"


class Locks:
    """The locks of one copyover.

    Args:
        before_s: Feature -> how many seconds before rooms move it is locked.
    """

    def __init__(self, hosts: Hosts, before_s: Mapping[str, float], warnings: list[str]) -> None:
        self._hosts, self._before_s, self._warnings = hosts, before_s, warnings
        self._locked: list[str] = []

    async def passing(self, left_s: float) -> None:
        """So many seconds are left: lock what is due, in all hosts."""
        due = sorted(feature for feature, seconds in self._before_s.items() if seconds >= left_s)
        if due != self._locked:
            self._locked = due
            await self._tell_all()

    async def lock_in(self, host: HostInstance) -> None:
        """A host that was not there before: its rooms are to have the same locks."""
        if self._locked:
            await self._tell(host)

    async def lift(self) -> None:
        """It is over, whatever came of it."""
        if self._locked:
            self._locked = []
            await self._tell_all()

    async def _tell_all(self) -> None:
        await asyncio.gather(*(self._tell(host) for host in self._hosts.all))

    async def _tell(self, host: HostInstance) -> None:
        params = {"features": self._locked, "reason": REASON if self._locked else ""}
        try:
            await host.ask("movement.lock", params, timeout_s=LOCK_S)
        except PerdureError as error:
            if not self._locked and isinstance(error, Unavailable):
                return  # a host that starts anew has no locks
            what = f"was not told to lock {', '.join(self._locked)}" if self._locked else "was not told to lift locks"
            self._warnings.append(f"{host.name} {what}: {error}")
