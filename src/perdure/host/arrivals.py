"""The successor's side of moves: copies of another host's rooms, which follow it until they are offered.

A copy is the room's newest base and every record since, read from the other host's journal while that host goes
on. So in the pause of a move only the last records are left to be read. Nothing of a copy runs, and the room is
not ours, before the owner row says so.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from perdure.control import Channel
from perdure.errors import ClaimLost, PerdureError, StorageError, Unavailable, one_line
from perdure.host.host import Host
from perdure.host.peers import Peers, asked
from perdure.host.running import Identity, Running
from perdure.host.taking import FIRST_BASE_S, Stores
from perdure.movement.move import Arriving, Offer
from perdure.ports import Claim, FaultPoint, Owner
from perdure.room.record import decode_record
from perdure.room.tables import Cells
from perdure.store.tail import JournalTail

FOLLOW_S = 0.005
"""How often the records of the other host are looked for."""
HELLO_S = 2.0
"""How long a gateway that has the players may take to be heard of."""
FOLLOWED_MAX = 500
"""Records that are booked at a time: about 5 ms."""
COMPARED = 20
"""Copies that are compared with one question."""
ROOMS_TOLD = 50
"""After so many copies the progress is told."""

T = TypeVar("T")


class Source(msgspec.Struct):
    """A host whose rooms are to come, as it says itself.

    Attributes:
        incarnation: Who it is.
        position: Where its journal stood when it began to write down everything.
        gateways: Those that have its players.
    """

    incarnation: str
    position: tuple[int, int]
    gateways: list[str]


class Described(msgspec.Struct):
    """A room that is to come, and the code that it runs."""

    room: str
    game: str
    generation: str


class Taken(msgspec.Struct):
    """How the room of an offer was taken, in milliseconds for each step; or why it was not.

    Attributes:
        came_s, ran_s: When the offer came and the room ran, on `time.perf_counter`, which is the machine's.
        at, refused: At which step it ended, and why.
    """

    came_s: float = 0.0
    ran_s: float = 0.0
    steps: dict[str, float] = {}
    at: str = ""
    refused: str = ""


class Refused(msgspec.Struct):
    """A room that cannot move here, and why, in one line."""

    room: str
    reason: str


class Copy:
    """A room that is about to move here.

    Attributes:
        source: Incarnation of its owner.
        running: As it would run here.
        problem: Why it cannot be taken any more, "" while it can.
        offered: Whether it is just being decided whose the room is.
    """

    def __init__(self, source: str, running: Running) -> None:
        self.source, self.running = source, running
        self.problem = ""
        self.offered = False


class Waiting(NamedTuple):
    """A claim that goes into the next commit."""

    claim: Claim
    decided: asyncio.Future[Owner | None]


class Arrivals:
    """Takes rooms from other hosts.

    Args:
        journals: The folder with the journals of all incarnations.
        incarnation: This host's.
        program: Hash of the program that it is, without the games.
        copied: Makes a copy of a room: called with its id, game and generation, in a thread.
        executor: Where copies are made while nothing runs here: the thread that leaves the processor to the players.
            It would hold the interpreter and wait for a processor, were there rooms that need both.
        failed: Called with a reason when this host cannot go on.
        notify: Called with events for the event log.
    """

    def __init__(
        self,
        host: Host,
        stores: Stores,
        peers: Peers,
        loop: asyncio.AbstractEventLoop,
        *,
        journals: Path,
        incarnation: str,
        program: str,
        copied: Callable[[str, str, str], Running],
        executor: Executor | None,
        fault: FaultPoint,
        failed: Callable[[str], None],
        notify: Callable[[dict[str, Any]], None],
    ) -> None:
        self._host, self._stores, self._peers, self._loop = host, stores, peers, loop
        self._journals, self._incarnation, self._copied, self._executor = journals, incarnation, copied, executor
        self._program, self._fault, self._failed, self._notify = program, fault, failed, notify
        self._copies: dict[str, Copy] = {}
        self._tails: dict[str, JournalTail] = {}
        self._following: asyncio.TimerHandle | None = None
        self._claims: list[Waiting] = []
        self._committing: asyncio.Task[None] | None = None
        self._deciding: set[asyncio.Task[Taken]] = set()

    # -- copies ------------------------------------------------------------------------------------

    async def prepare(self, of: Source, rooms: Sequence[Described]) -> dict[str, Any]:
        """Copy these rooms of another host, follow it, and compare every copy with its room.

        Raises:
            Unavailable: The other host, or a gateway that has its players, does not answer.
            StorageError: Its journal cannot be followed.
        """
        self._fault("copyover:prepare")
        self._rest()  # copies of this source are not to be ahead of what they are compared with
        source = of.incarnation
        channel = await self._peers.channel(source)
        await self._hear(of.gateways)
        tail = self._tails[source] = JournalTail(self._journals / source, *of.position)
        refused: list[Refused] = []
        for index, each in enumerate(rooms):
            id = each.room
            try:
                running = await self._in_thread(self._copied, id, each.game, each.generation)
            except Exception as error:  # noqa: BLE001  (the edge to game code: binding a game makes its modules)
                reason = str(error) if isinstance(error, PerdureError) else one_line(error)
                refused.append(Refused(id, reason))
                continue
            self._copies[id] = Copy(source, running)
            self._host.copies[id] = running
            if not (index + 1) % ROOMS_TOLD:
                self._notify({"kind": "copyover-prepared", "rooms": index + 1, "of": len(rooms)})
        while await self._in_thread(self._book, source, tail.read(FOLLOWED_MAX)):
            pass
        mismatches = await self._compare(source, channel, refused)
        self._follow()
        copies = [copy.running.room for copy in self._copies.values() if copy.source == source]
        return {
            "rooms": len(copies),
            "bytes": await self._in_thread(lambda: sum(_size(room.cells.values()) for room in copies)),
            "hash_mismatches": mismatches,
            "refused": msgspec.to_builtins(refused),
        }

    def refuse(self, room: str) -> None:
        """Let go of the copy of a room that stays where it is."""
        copy = self._copies.pop(room, None)
        self._host.copies.pop(room, None)
        if copy is not None:
            copy.running.let_go()

    def lost(self, source: str) -> None:
        """The host that was followed is gone: its rooms are recovered, but for those that are just being decided."""
        for room, copy in list(self._copies.items()):
            if copy.source == source and not copy.offered:
                self.refuse(room)
        if tail := self._tails.pop(source, None):
            tail.close()

    def forget(self) -> None:
        """Let go of all copies, but for those that are just being decided, and follow nobody any more."""
        for room, copy in list(self._copies.items()):
            if not copy.offered:
                self.refuse(room)
        self._rest()
        for tail in self._tails.values():
            tail.close()
        self._tails.clear()

    async def _hear(self, gateways: Sequence[str]) -> None:
        """Make sure that players can be reached from here: a successor that is deaf must not get a room (FM-9).

        Raises:
            Unavailable: A gateway has not said hello.
        """
        until_s = self._loop.time() + HELLO_S
        while missing := [name for name in gateways if name not in self._host.gateways.known]:
            if self._loop.time() > until_s:
                raise Unavailable(f"{', '.join(missing)} does not answer the successor", op="copyover:prepare")
            await asyncio.sleep(FOLLOW_S)

    async def _compare(self, source: str, channel: Channel, refused: list[Refused]) -> int:
        """Compare the copies with their rooms, which go on; those that differ are refused. Returns how many did."""
        rooms = [id for id, copy in self._copies.items() if copy.source == source]
        mismatches = 0
        for start in range(0, len(rooms), COMPARED):
            batch = rooms[start : start + COMPARED]
            answer = await channel.request("peek", {"rooms": batch})
            offers = {offer.room: offer for offer in asked(answer, list[Offer])}
            for id in batch:
                copy, problem = self._copies.get(id), ""
                if copy is None:
                    problem = "its owner is gone"
                elif id not in offers:
                    problem = "its last records did not become durable in time. Try again"
                elif problem := self._verified(copy, Arriving(self._incarnation), offers[id]):
                    mismatches += 1
                if problem:
                    refused.append(Refused(id, problem))
                    self.refuse(id)
        return mismatches

    def _rest(self) -> None:
        """Follow nobody for now."""
        if self._following is not None:
            self._following.cancel()
            self._following = None

    def _follow(self) -> None:
        """Book what the other hosts recorded since the last time."""
        for source, tail in list(self._tails.items()):
            try:
                self._book(source, tail.read(FOLLOWED_MAX))
            except StorageError as error:
                self._lose(source, str(error))
        self._following = self._loop.call_later(FOLLOW_S, self._follow)

    def _book(self, source: str, records: Sequence[bytes]) -> int:
        """Bring the copies forward by these records; how many there were."""
        for data in records:
            record = decode_record(data)
            copy = self._copies.get(record.room)
            if copy is None or copy.source != source or copy.problem:
                continue
            room = copy.running.room
            if record.epoch != room.epoch or record.c <= room.c:
                continue  # of before its base, or of an ownership that the copy knows nothing of
            if record.c != room.c + 1 or record.previous != room.last_digest:
                copy.problem = f"record {record.c} does not follow from the copy, which stands at callback {room.c}"
                continue
            room.replay(record, data)
        return len(records)

    def _lose(self, source: str, problem: str) -> None:
        for copy in self._copies.values():
            if copy.source == source:
                copy.problem = copy.problem or problem

    def _verified(self, copy: Copy, arriving: Arriving, offer: Offer) -> str:
        """Bring the copy to where the offer stands; why it is not the same, "" if it is."""
        try:
            self._book(copy.source, self._tails[copy.source].upto(offer.segment, offer.end))
        except KeyError:
            return "its owner is gone"
        except StorageError as error:
            self._lose(copy.source, str(error))
        if copy.problem:
            return copy.problem
        room = copy.running.room
        room.forget(offer.acknowledged)
        return arriving.verify(offer, room.c, room.value_hash())

    # -- one room ----------------------------------------------------------------------------------

    async def offer(self, offer: Offer, source: str) -> Taken:
        """Steps verify, commit and route of the room that another host offers.

        They are done to their end even if that host dies, and nobody waits for the answer any more: a room that is
        ours by its row has to run.
        """
        deciding = self._loop.create_task(self._decide(offer, source))
        self._deciding.add(deciding)
        deciding.add_done_callback(self._decided)
        return await asyncio.shield(deciding)

    def _decided(self, deciding: asyncio.Task[Taken]) -> None:
        self._deciding.discard(deciding)
        error = None if deciding.cancelled() else deciding.exception()
        if error is not None:  # the room may be ours by its row, and does not run: this host cannot go on
            self._loop.call_exception_handler({"message": "offer", "exception": error})

    async def _decide(self, offer: Offer, source: str) -> Taken:
        came_s = time.perf_counter()
        copy = self._copies.get(offer.room)
        if copy is None or copy.source != source:
            return Taken(at="verify", refused=f"there is no copy of room {offer.room} here")
        copy.offered = True
        await self._step(source, offer.room, "verify")
        arriving = Arriving(self._incarnation)
        problem = self._verified(copy, arriving, offer)
        if problem:
            self.refuse(offer.room)
            return Taken(at="verify", refused=problem)
        verified_s = time.perf_counter()
        await self._step(source, offer.room, "commit")
        row = await self._commit(arriving.commit())
        if arriving.committed(row) != "ours" or offer.room in self._host.rooms:  # recovered, its owner being dead
            self.refuse(offer.room)
            return Taken(at="commit", refused="the owner row changed before the room was taken")
        committed_s = time.perf_counter()
        await self._step(source, offer.room, "route")
        assert row is not None
        self._take(copy, offer, row)
        ran_s = time.perf_counter()
        await self._step(source, offer.room, "release")
        steps = {
            "verify": (verified_s - came_s) * 1e3,
            "commit": (committed_s - verified_s) * 1e3,
            "route": (ran_s - committed_s) * 1e3,
        }
        return Taken(came_s, ran_s, steps)

    async def _step(self, source: str, room: str, step: str) -> None:
        """Tell the old owner, if it is still there, which step begins: so it knows where we ended if we do."""
        self._peers.tell({"kind": "step", "room": room, "step": step}, source)
        await asyncio.sleep(0)  # what was notified leaves at the end of a turn
        self._fault(f"copyover:{step}")

    def _take(self, copy: Copy, offer: Offer, row: Owner) -> None:
        running, room = copy.running, copy.running.room
        self._copies.pop(room.id, None)
        running.take(row)
        running.based_s = self._loop.time() + FIRST_BASE_S - running.game.base_every_s
        running.paused, running.skip = offer.paused, Identity(*offer.skip) if offer.skip else None
        running.replayed = dict(offer.replayed)
        running.program.learn(offer.faulted_in(self._program))
        running.asked_at = copy.source if self._peers.reaches(copy.source) else ""
        self._host.arrived(running)
        self._peers.tell({"kind": "came", "room": room.id})

    async def _commit(self, claim: Claim) -> Owner | None:
        """Claim the room, together with all that wait just now; its owner row afterwards."""
        waiting = Waiting(claim, self._loop.create_future())
        self._claims.append(waiting)
        if self._committing is None:
            self._committing = self._loop.create_task(self._commit_all())
        return await waiting.decided

    async def _commit_all(self) -> None:
        try:
            while self._claims:
                group, self._claims = self._claims, []
                rows = await self._loop.run_in_executor(None, self._claim, [waiting.claim for waiting in group])
                for waiting, row in zip(group, rows, strict=True):
                    waiting.decided.set_result(row)
        except Exception as error:  # noqa: BLE001  (whose those rooms are is not known here: whoever recovers reads it)
            self._failed(f"a commit of owner rows broke: {one_line(error)}")
        self._committing = None

    def _claim(self, claims: list[Claim]) -> list[Owner | None]:
        """Claim these rooms in one commit; those of which one is lost, one by one. For any thread."""
        with suppress(ClaimLost):
            try:
                return list(self._stores.owners.claim_all(claims, self._incarnation))
            except StorageError:
                return [self._read(claim.room) for claim in claims]  # it may have been committed: the rows tell
        if len(claims) == 1:
            return [self._read(claims[0].room)]
        return [row for claim in claims for row in self._claim([claim])]

    def _read(self, room: str) -> Owner | None:
        try:
            return self._stores.owners.read(room)
        except StorageError as error:  # perhaps the room is ours: whoever recovers it can read that, we cannot
            self._loop.call_soon_threadsafe(self._failed, f"whose room {room} is cannot be read: {error}")
            return None

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        executor = None if self._host.rooms else self._executor
        return await self._loop.run_in_executor(executor, function, *arguments)


def _size(tables: Iterable[Cells]) -> int:
    return sum(len(row) for cells in tables for row in cells.image().values())
