"""Checkpoints: running rooms are stored as bases while they go on, so that recovery stays short."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog

from perdure.errors import StorageError
from perdure.host.bases import BaseKey, Bases
from perdure.host.recovery import DeadHosts
from perdure.host.running import Running
from perdure.ports import FaultPoint, Journal, Owners

LET_GO_S = 60.0
"""An idle room's records are kept this long after its last base."""
DEAD_JOURNALS_MAX = 8
"""With more journals of dead hosts than this, rooms are stored before they serve: a crash loop must not fill a disk."""
GROUND_S = 10.0
"""Longest wait for a room's records to become durable before its base."""
PACKERS = 4
"""Bases that are stored side by side before a move: each of them waits for the disk."""
FORGET_EVERY_S = 30.0
"""How often it is looked whether journals of dead hosts can be deleted, at least."""
LOOK_EVERY_S = 1.0
"""How often the rooms are looked through for bases that are due."""


class Checkpoints:
    """Stores the bases of a host's rooms, and lets go of the records that nobody needs any more.

    Args:
        copying: Whether rooms are just coming from another host: bases would compete with them for the disk.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        rooms: Mapping[str, Running],
        bases: Bases,
        journal: Journal,
        dead: DeadHosts,
        owners: Owners,
        *,
        copying: Callable[[], bool],
        fault: FaultPoint,
        notify: Callable[[dict[str, Any]], None],
    ) -> None:
        self._loop, self._rooms = loop, rooms
        self._bases, self._journal, self._dead, self._owners = bases, journal, dead, owners
        self._fault, self._notify = fault, notify
        self._packer = ThreadPoolExecutor(PACKERS, thread_name_prefix="perdure-base")
        self._timer: asyncio.TimerHandle | None = None
        self._due: deque[Running] = deque()
        self._storing: set[asyncio.Future[tuple[BaseKey, BaseKey]]] = set()
        self._newly_based, self._forgot_s = False, loop.time()
        self._copying = copying
        self._grounding = 0

    def start(self) -> None:
        """Look after the rooms from now on."""
        if len(self._dead.journals) > DEAD_JOURNALS_MAX:
            for running in self._rooms.values():
                if not running.based and self._may(running):
                    self.store_now(running)
        self.forget_dead()
        self._look()

    def store_now(self, running: Running) -> None:
        """Store a base before anything else happens (a first one, or a last one before the room is put aside).

        Raises:
            StorageError: It is not stored.
        """
        self._stored(running, self._bases.store(self._bases.capture(running.room)))

    async def ground(self, rooms: Sequence[Running]) -> None:
        """Store a base of each of these rooms as it is, unless its newest one is that; whatever its durability.

        Raises:
            StorageError: One is not stored.
        """
        self._grounding += 1  # bases that are due for other reasons wait
        try:
            await self._stored_all()
            places = asyncio.Semaphore(PACKERS)
            async with asyncio.TaskGroup() as tasks:
                for running in rooms:
                    tasks.create_task(self._ground(running, places))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        finally:
            self._grounding -= 1

    async def _ground(self, running: Running, places: asyncio.Semaphore) -> None:
        async with places:
            if not await running.wait_quiescent(self._loop, GROUND_S):
                raise StorageError(f"the records of room {running.room.id} do not become durable", op="host:base")
            if running.newest_c != running.room.c:
                done = self._begin(running, self._loop.time())
                await asyncio.wait([done])
                done.result()

    async def close(self) -> bool:
        """Store a base of every room that changed since its last one, and stop.

        Returns:
            Whether every room that keeps no records in the journal is stored.
        """
        if self._timer is not None:
            self._timer.cancel()
        self._due.clear()
        await self._stored_all()
        for running in self._rooms.values():
            if running.records and self._may(running):
                self._begin(running, self._loop.time())
        await self._stored_all()
        self._packer.shutdown()
        return not any(running.records and running.game.durability == "checkpoint" for running in self._rooms.values())

    async def _stored_all(self) -> None:
        """Wait until the bases that are on their way are stored and counted, or have failed."""
        while self._storing:
            await asyncio.wait(self._storing)

    def _look(self) -> None:
        self._timer = self._loop.call_later(LOOK_EVERY_S, self._look)
        now_s = self._loop.time()
        self._let_idle_go(now_s)
        self._due = deque(running for running in self._rooms.values() if self._is_due(running, now_s))
        self._begin_next()

    def _let_idle_go(self, now_s: float) -> None:
        """A room that did nothing since its last base needs no records: kept for the base before, they would keep
        whole segments for ever. Should that last base turn out to be unreadable, the hole is found, not passed over."""
        for running in self._rooms.values():
            if running.kept_c < running.newest_c and not running.records and now_s - running.based_s >= LET_GO_S:
                running.kept_c = running.newest_c
                self._journal.based(running.room.id, running.kept_c)

    def _is_due(self, running: Running, now_s: float) -> bool:
        late = now_s - running.based_s >= running.game.base_every_s
        return bool(running.records) and (late or running.records >= running.game.base_every_records)

    def _begin_next(self) -> None:
        """One room at a time, each in a turn of its own: captured together they would hold up everybody."""
        while self._due and not self._storing and not (self._grounding or self._copying()):
            running = self._due.popleft()
            if self._rooms.get(running.room.id) is running and self._may(running):
                self._begin(running, self._loop.time())
        late = self._loop.time() - self._forgot_s >= FORGET_EVERY_S  # bases are stored by other hosts, too
        if (self._newly_based or late) and not self._storing:
            self.forget_dead()

    def _may(self, running: Running) -> bool:
        """At a quiescent point only: nothing runs, and nothing waits for the journal."""
        return running.end.quiescent and running.game.durability != "none"

    def _begin(self, running: Running, now_s: float) -> asyncio.Future[tuple[BaseKey, BaseKey]]:
        running.based_s, running.records = now_s, 0
        captured = self._bases.capture(running.room)
        self._fault("host:base-captured")
        done = self._loop.run_in_executor(self._packer, self._bases.store, captured)
        self._storing.add(done)
        done.add_done_callback(lambda done: self._ended(running, done))
        return done

    def _ended(self, running: Running, done: asyncio.Future[tuple[BaseKey, BaseKey]]) -> None:
        self._storing.discard(done)
        error = done.exception()
        if error is None:
            self._fault("host:base-stored")
            self._stored(running, done.result())
        else:  # the bases and records before are untouched; the next time that one is due it is tried again
            running.records += 1
            structlog.get_logger().error("base-failed", room=running.room.id, error=str(error))
            self._notify({"kind": "base-failed", "room": running.room.id, "reason": str(error)})
        self._begin_next()

    def _stored(self, running: Running, kept: tuple[BaseKey, BaseKey]) -> None:
        oldest, newest = kept
        running.kept_c, running.newest_c = oldest.c, newest.c
        self._journal.based(running.room.id, oldest.c)
        if not running.based and newest.c >= running.claimed_c:
            running.based = self._newly_based = True

    def forget_dead(self) -> None:
        """Delete the journals of dead hosts that no room can need any more."""
        self._newly_based, self._forgot_s = False, self._loop.time()
        if not self._dead.holds:
            return
        based = {id for id, running in self._rooms.items() if running.based}
        try:
            self._dead.forget(based, self._owners.rooms(), self._bases.grounded)
        except StorageError as error:
            structlog.get_logger().error("journal-kept", error=str(error))
