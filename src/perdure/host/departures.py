"""The old owner's side of moves: rooms stop, are offered to another host, and are released or taken back.

Each room moves by itself (`perdure.movement.move`), while all others go on. Nothing that the other host says, or
fails to say, decides whose a room is: whoever does not learn that it was released claims it back, and the owner
row tells who won.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from perdure.control import Channel
from perdure.errors import ClaimLost, ContractError, PerdureError, StorageError, Unavailable
from perdure.host.arrivals import Taken
from perdure.host.host import Host
from perdure.host.peers import Peers
from perdure.host.running import Running
from perdure.host.taking import Stores
from perdure.movement.move import ANSWER_S, Leaving, Offer
from perdure.ports import Claim, FaultPoint, Owner

AT_ONCE = 8
"""Rooms that are on their way at the same time: they share one commit of the owner rows."""
CLAIM_AGAIN_S = 0.05
"""How soon a claim is made again that the store could not take."""


class Moved(msgspec.Struct):
    """A room that is another host's now; times in milliseconds."""

    room: str
    pause_ms: float
    steps: dict[str, float]


class Kept(msgspec.Struct):
    """A room that runs here still, and at which step its move ended."""

    room: str
    at: str
    reason: str


class Departures:
    """Moves the rooms of one host away.

    Args:
        incarnation: This host's.
        program: Hash of the program that it is, without the games.
        hold_reloads: Called with whether reloads are to wait.
    """

    def __init__(
        self,
        host: Host,
        stores: Stores,
        peers: Peers,
        loop: asyncio.AbstractEventLoop,
        *,
        incarnation: str,
        program: str,
        fault: FaultPoint,
        hold_reloads: Callable[[bool], None],
    ) -> None:
        self._host, self._stores, self._peers, self._loop = host, stores, peers, loop
        self._incarnation, self._program, self._fault, self._hold_reloads = incarnation, program, fault, hold_reloads
        self._open = ""
        self._stepped: dict[str, str] = {}

    async def open(self, id: str, rooms: Sequence[str] | None) -> dict[str, Any]:
        """Get ready to be followed: every record is journaled, and every room has a base that is not older than that.

        Raises:
            ContractError: Another movement is open, or a room does not run here.
            StorageError: A base could not be stored.
        """
        if self._open:
            raise ContractError(f"movement {self._open} is not over yet. Nothing was changed.")
        leaving = self._named(rooms)
        self._open = id
        self._hold_reloads(True)
        position = self._host.begin_moving()
        try:
            await self._host.checkpoints.ground(leaving)
        except BaseException:
            self.close(id)
            raise
        return {
            "incarnation": self._incarnation, "position": position, "gateways": sorted(self._host.gateways.known),
            "rooms": list(map(_described, leaving)),
        }  # fmt: skip

    def close(self, id: str, *, hold: bool = False) -> None:
        """The movement is over, unless another one is open: everything is as before, and what was held goes on.

        Args:
            hold: Another one follows: reloads still wait, until this is called again without it.
        """
        if self._open not in (id, ""):
            return
        was_open, self._open = bool(self._open), ""
        try:
            if was_open:
                self._host.end_moving()
        finally:
            self._hold_reloads(hold)

    async def peek(self, rooms: Sequence[str]) -> list[Offer]:
        """What would be offered of these rooms now, without stopping them: for a copy that is compared beforehand."""
        named = self._named(rooms)
        return [self._offer(running) for running in named if await running.wait_quiescent(self._loop, ANSWER_S)]

    async def move(self, rooms: Sequence[str] | None, to: str, *, all_or_nothing: bool) -> dict[str, Any]:
        """Move these rooms, the first one alone and the others side by side.

        Args:
            to: The other host's incarnation, which has prepared for them.
            all_or_nothing: The first failure before any room has moved ends it; after that it only rolls forward.
        """
        leaving = self._named(rooms)
        moved: list[Moved] = []
        kept: list[Kept] = []
        try:
            channel = await self._peers.channel(to)
        except PerdureError as error:
            return _outcome(moved, [Kept(running.room.id, "offer", str(error)) for running in leaving])
        self._stepped.clear()
        places = asyncio.Semaphore(AT_ONCE)

        async def move_in_turn(running: Running) -> None:
            async with places:
                result = await self._move(running, channel)
                moved.append(result) if isinstance(result, Moved) else kept.append(result)

        first = 0
        while first < len(leaving) and not moved and not (kept and all_or_nothing):
            await move_in_turn(leaving[first])
            first += 1
        if moved:
            await asyncio.gather(*(move_in_turn(running) for running in leaving[first:]))
        else:
            kept += [Kept(running.room.id, kept[0].at, "another room had failed first") for running in leaving[first:]]
        return _outcome(moved, kept)

    def stepped(self, room: str, step: str) -> None:
        """The other host begins this step with a room of ours."""
        self._stepped[room] = step

    # -- one room ----------------------------------------------------------------------------------

    async def _move(self, running: Running, channel: Channel) -> Moved | Kept:
        """Steps stop, offer and release; abort, if anything fails."""
        room, leaving = running.room, Leaving(self._incarnation)
        began_s = time.perf_counter()
        self._stepped[room.id] = "stop"
        try:
            self._fault("copyover:stop")
            if channel.over:
                raise Unavailable("the successor is gone", op="peer:offer")
            self._host.stop(running)
            if not await running.wait_quiescent(self._loop, ANSWER_S):
                raise StorageError("its last records did not become durable in time", op="copyover:stop")
            leaving.stop(self._offer(running))
            stopped_s = time.perf_counter()
            self._stepped[room.id] = "offer"
            self._fault("copyover:offer")
            left_s = max(0.001, began_s + ANSWER_S - stopped_s)
            answer = await channel.request("offer", msgspec.to_builtins(leaving.offer), timeout_s=left_s)
            taken = msgspec.convert(answer, Taken)
            if taken.refused:
                self._stepped[room.id] = taken.at
                raise ContractError(taken.refused)
        except (PerdureError, OSError, msgspec.ValidationError) as error:
            return await self._aborted(running, leaving, str(error))
        leaving.released()
        self._host.release(running)
        return _moved(room.id, began_s, stopped_s, taken)

    async def _aborted(self, running: Running, leaving: Leaving, reason: str) -> Moved | Kept:
        """Take the room back, unless the successor has it: the owner row decides."""
        room = running.room
        if leaving.offer is None:  # nobody can have it
            self._host.go_on_after_move(running, running.owner)
            return Kept(room.id, self._stepped[room.id], reason)
        claim, began_s = leaving.abort(), time.perf_counter()
        while True:
            row = await self._loop.run_in_executor(None, self._claimed, claim)
            decided = "open" if row is None else leaving.aborted(row)
            if row is not None and decided == "ours":
                self._host.go_on_after_move(running, row)
                return Kept(room.id, self._stepped[room.id], reason)
            if decided == "theirs":
                self._host.release(running)
                return Moved(room.id, round((time.perf_counter() - began_s) * 1e3, 3), {})
            await asyncio.sleep(CLAIM_AGAIN_S)

    def _claimed(self, claim: Claim) -> Owner | None:
        """The owner row after our claim, whoever won; None while the store does not say. For any thread."""
        try:
            self._fault("copyover:abort")
            return self._stores.owners.claim(claim.room, claim.expected, self._incarnation, claim.from_c, claim.branch)
        except (ClaimLost, StorageError, OSError):
            try:
                return self._stores.owners.read(claim.room)
            except StorageError:
                return None

    def _offer(self, running: Running) -> Offer:
        room, owner = running.room, running.owner
        segment, end = self._stores.journal.position()
        return Offer(
            room.id, owner, room.c, room.branch, room.value_hash(), room.acknowledged(),
            running.paused, running.skip, running.replayed, segment, end,
            self._program, running.program.faulted(),
        )  # fmt: skip

    def _named(self, rooms: Iterable[str] | None) -> list[Running]:
        ids = list(self._host.rooms) if rooms is None else rooms
        return [self._host.running(id) for id in ids]


def _described(running: Running) -> dict[str, Any]:
    room = running.room
    return {
        "room": room.id, "game": running.program.game, "generation": running.program.generation,
        "epoch": room.epoch, "c": room.c,
    }  # fmt: skip


def _moved(room: str, began_s: float, stopped_s: float, taken: Taken) -> Moved:
    """The clock of `perf_counter` is the machine's, so the two hosts' times may be compared."""
    steps = {
        "stop": (stopped_s - began_s) * 1e3,
        "offer": (taken.came_s - stopped_s) * 1e3,
        **taken.steps,
        "release": (time.perf_counter() - taken.ran_s) * 1e3,
    }
    return Moved(room, round((taken.ran_s - began_s) * 1e3, 3), {name: round(ms, 3) for name, ms in steps.items()})


def _outcome(moved: list[Moved], kept: list[Kept]) -> dict[str, Any]:
    return {"moved": msgspec.to_builtins(moved), "kept": msgspec.to_builtins(kept)}
