"""Records become durable, each room's in order, and only then is anything of them released (H2).

`process` and weaker: a record that was appended is durable at once. `power`: a sync runs beside the loop,
and while it runs the next group gathers (a group commit without a timer).

When the disk is full the record that could not be appended waits here, and nothing else runs: the tails of
the gateways wait too, so nothing is lost, and everything goes on when there is space again. Any other error
of the journal ends the host: what is durable is true, and a new host recovers it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog

from perdure.errors import StorageError
from perdure.host.running import Running
from perdure.ports import Journal
from perdure.room.machine import Ran

RETRY_S = 1.0
"""How often a full disk is tried again."""

Entry = tuple[Running, Ran]


class Ledger:
    """The journal of one host, in front of its rooms.

    Args:
        durable: Called with (running, ran) when the record is durable, in order.
        went_on: Called when records fit again after the disk was full.
        notify: Called with events for the event log.
        failed: Called with a reason when the journal takes no more.
    """

    def __init__(
        self,
        journal: Journal,
        loop: asyncio.AbstractEventLoop,
        *,
        durable: Callable[[Running, Ran], None],
        went_on: Callable[[], None],
        notify: Callable[[dict[str, Any]], None],
        failed: Callable[[str], None],
    ) -> None:
        self._journal, self._loop = journal, loop
        self._durable, self._went_on, self._notify, self._failed = durable, went_on, notify, failed
        self._stalled: deque[Entry] = deque()
        self._over = self._all = False
        self._unsynced: list[Entry] = []
        self._syncing: asyncio.Future[None] | None = None
        self._syncer = ThreadPoolExecutor(1, thread_name_prefix="perdure-sync")

    def write_all(self, on: bool) -> None:
        """While rooms are moved, every room's records are in the journal: the copies follow them there."""
        self._all = on

    @property
    def stalled(self) -> bool:
        """Whether a record waits for space on the disk, or the journal failed: no callback may run."""
        return self._over or bool(self._stalled)

    def write(self, running: Running, ran: Ran) -> None:
        """Make the record as durable as its game asks; `durable` is called then, perhaps before this returns."""
        recorded = self._all or running.game.durability in ("process", "power")
        if recorded and not self._append(running, ran):
            if not self.stalled:
                self._loop.call_later(RETRY_S, self._retry)
            self._stalled.append((running, ran))
            return
        self._written(running, ran)

    async def settled(self) -> None:
        """Wait until every record that was written is durable, but for those that wait for space."""
        self._sync()
        while self._syncing is not None:
            await asyncio.wait([self._syncing])

    def close(self, *, based: bool) -> None:
        """An ordered stop: nothing needs recovery, unless a record did not fit or `based` is false.

        Args:
            based: Whether every room whose records are not in the journal has a base.
        """
        self._syncer.shutdown()
        self._journal.close(clean=based and not self.stalled)

    def _append(self, running: Running, ran: Ran) -> bool:
        assert ran.record is not None
        try:
            self._journal.append(running.room.id, ran.record.c, ran.data)
        except StorageError as error:
            if not error.retry:
                self._fail(error)
            elif not self._stalled:
                structlog.get_logger().error("journal-full", error=str(error))
                self._notify({"kind": "journal-full", "reason": f"{error} Players wait, and lose nothing."})
            return False
        return True

    def _fail(self, error: BaseException) -> None:
        """Nothing is released any more: what the journal holds now is what a new host recovers."""
        if not self._over:
            self._over = True
            self._failed(f"The journal failed: {error}")

    def _written(self, running: Running, ran: Ran) -> None:
        if running.game.durability == "power":
            self._unsynced.append((running, ran))
            if len(self._unsynced) == 1:
                self._loop.call_soon(self._sync)  # what arrived in this turn is one group
        else:
            self._durable(running, ran)

    def _retry(self) -> None:
        while self._stalled:
            running, ran = self._stalled[0]
            if not self._append(running, ran):
                if not self._over:
                    self._loop.call_later(RETRY_S, self._retry)
                return
            self._stalled.popleft()
            self._written(running, ran)
        self._notify({"kind": "journal-goes-on"})
        self._went_on()

    def _sync(self) -> None:
        if self._syncing is None and self._unsynced and not self._over:
            group, self._unsynced = self._unsynced, []
            self._syncing = self._loop.run_in_executor(self._syncer, self._journal.sync)
            self._syncing.add_done_callback(lambda done: self._synced(group, done))

    def _synced(self, group: list[Entry], done: asyncio.Future[None]) -> None:
        self._syncing = None
        if error := done.exception():
            self._fail(error)
        if self._over:
            return
        for running, ran in group:
            self._durable(running, ran)
        self._sync()
