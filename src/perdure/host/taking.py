"""How a room becomes this host's: recovered, claimed, and grounded on a base."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from perdure.config import Config
from perdure.errors import ClaimLost, ContractError, Unavailable
from perdure.host.bases import Bases
from perdure.host.recovery import Damaged, DeadHosts, Recovered, recover
from perdure.host.running import HostedProgram, Programs, Running
from perdure.link.host import HostEnd
from perdure.link.messages import Message
from perdure.ports import AsideList, Claim, Clock, FaultPoint, Journal, Owner, Owners
from perdure.room.machine import Guard, Room

CLAIMS_MAX = 4
"""How often rooms that somebody else took meanwhile are looked at, before they are left to them."""
FIRST_BASE_S = 1.0
"""A recovered room gets a base this soon, so that the next recovery is short."""


class Stores:
    """What a host keeps things in. Owned by the process."""

    def __init__(self, journal: Journal, owners: Owners, asides: AsideList, bases: Bases, dead: DeadHosts) -> None:
        self.journal, self.owners, self.asides, self.bases, self.dead = journal, owners, asides, bases, dead


class Ready(NamedTuple):
    """A room that can be claimed.

    Attributes:
        owner: Its owner row as it was read; None for a room that nobody ever owned.
        found: What was recovered; None for a new state.
        rolled_back: Whether acknowledged history may be lost, so that a new branch begins.
    """

    room: Room
    owner: Owner | None
    found: Recovered | None = None
    rolled_back: bool = False


class Taken(NamedTuple):
    """A room that is ours now.

    Attributes:
        records: How many were booked on top of its base.
        new: Whether it has a new state: there was nothing of it to recover.
        rolled_back: Whether acknowledged history may be lost, so that a new branch began.
    """

    running: Running
    records: int = 0
    rolled_back: bool = False
    new: bool = False


class Taker:
    """Takes rooms for one host incarnation.

    Args:
        entropy: Called with a number of bytes, for the seeds of new rooms.
        boot_id: The machine's boot; another one than a dead host's means that power was lost.
        send: What the rooms' ends of the link send with.
    """

    def __init__(
        self,
        config: Config,
        programs: Programs,
        stores: Stores,
        *,
        incarnation: str,
        boot_id: str,
        clock: Clock,
        entropy: Callable[[int], bytes],
        guard: Guard,
        fault: FaultPoint,
        send: Callable[[object, Message], None],
        notify: Callable[[dict[str, Any]], None],
    ) -> None:
        self._config, self._programs, self._stores = config, programs, stores
        self._incarnation, self._boot_id = incarnation, boot_id
        self._clock, self._entropy, self._guard = clock, entropy, guard
        self._fault, self._send, self._notify = fault, send, notify
        self._known = frozenset(config.rooms)

    def take(self, id: str, *, accept_damage: bool = False) -> Taken:
        """The room as it last was, now ours. Raises what `look` and `claim` raise."""
        return self.claim([self.look(id, accept_damage=accept_damage)])[0]

    def take_all(self, ids: Iterable[str], look: Callable[[str], Ready | None]) -> list[Taken]:
        """Those of the rooms that nobody alive has, now ours.

        Others may take rooms meanwhile: what changed hands is looked at again, and left to them in the end.

        Args:
            look: `look`, or what puts a room aside that cannot be recovered: None for it.
        """
        ready: dict[str, Ready] = {}
        wanted = list(ids)
        for _ in range(CLAIMS_MAX):
            free = self._free(id for id in wanted if id not in ready)
            ready.update({id: found for id in free if (found := self._looked(id, look)) is not None})
            wanted = list(ready)
            if not ready:
                return []
            try:
                return self.claim(list(ready.values()))
            except ClaimLost:
                ready = {id: found for id, found in ready.items() if self._stores.owners.read(id) == found.owner}
                self._stores.dead.look_again()
            finally:
                self._stores.dead.let_go_of_living()
        return [taken for found in ready.values() for taken in self._claim_if_free(found)]

    def _free(self, ids: Iterable[str]) -> list[str]:
        """The rooms whose owners are not alive, and those that nobody ever had."""
        rows = self._stores.owners.rooms()
        return [id for id in ids if id not in rows or not self._stores.dead.alive(rows[id].host)]

    def _looked(self, id: str, look: Callable[[str], Ready | None]) -> Ready | None:
        with suppress(Unavailable):  # somebody took it just now
            return look(id)
        return None

    def _claim_if_free(self, ready: Ready) -> list[Taken]:
        with suppress(ClaimLost):
            return self.claim([ready])
        return []

    def _spare(self, id: str, owner: Owner | None) -> None:
        if owner is not None and owner.host != self._incarnation and self._stores.dead.alive(owner.host):
            raise Unavailable(
                f"Room {id} belongs to the host {owner.host}, which is alive. It stays there.", op="host:recover"
            )

    def take_anew(self, id: str, c: int) -> Running:
        """The room with a new state, from callback c on, on a new branch of its history.

        Raises:
            Unavailable: It is another living host's.
        """
        owner = self._stores.owners.read(id)
        self._spare(id, owner)
        return self.claim([self._new(id, owner, c=c, branch=owner.branch + 1 if owner else 0)])[0].running

    def look(self, id: str, *, accept_damage: bool = False) -> Ready:
        """The room as it last was, or as it begins if it is new; not ours yet.

        Raises:
            Unavailable: It is another living host's.
            Damaged, SchemaError: It cannot be recovered.
        """
        history = self._stores.owners.history(id)
        owner = history[-1] if history else None
        if owner is None:
            return self._new(id, None, c=0, branch=0)
        self._spare(id, owner)
        lost = self._stores.dead.lost_history(
            owner, self._config.games[self._config.rooms[id]].durability, self._boot_id
        )
        found = recover(
            id, self._config.rooms[id], self._programs, history, self._stores.bases, self._stores.dead,
            self._known, self._guard, accept_damage=accept_damage or lost,
        )  # fmt: skip
        self._fault("host:recover-read")
        if found is None:
            return self._new(id, owner, c=owner.from_c, branch=owner.branch)
        rolled_back = lost or bool(found.damage)
        found.room.branch = owner.branch + rolled_back
        return Ready(found.room, owner, found, rolled_back)

    def claim(self, rooms: Sequence[Ready]) -> list[Taken]:
        """Become the owner of all of these, in one durable step.

        Raises:
            ClaimLost: Somebody else has one of them; none is ours.
        """
        claims = [Claim(ready.room.id, ready.owner, ready.room.c, ready.room.branch) for ready in rooms]
        rows = self._stores.owners.claim_all(claims, self._incarnation)
        self._fault("host:recover-claimed")
        return [self._taken(ready, row) for ready, row in zip(rooms, rows, strict=True)]

    def copy(self, id: str, game: str, generation: str) -> Running:
        """A copy of another host's room as its newest base has it; not ours. For any thread.

        Raises:
            ContractError: The room, or the code that it runs, is not known here.
            Damaged: It has no base that can be read.
            SchemaError: The code cannot read its rows.
        """
        if self._config.rooms.get(id) != game:
            raise ContractError(f"perdure.toml has no room {id} of game {game} any more. Put it back.")
        program = self._programs.held(game, generation)
        try:
            return self._copy(id, game, generation, program)
        finally:
            program.release()

    def _copy(self, id: str, game: str, generation: str, program: HostedProgram) -> Running:
        if program.generation != generation:
            raise ContractError(f"the code {generation} that room {id} runs does not load in this program.")
        history = self._stores.owners.history(id)
        found, refused = self._stores.bases.newest(id, game, history)
        if found is None or found.generation != generation:
            raise Damaged(f"no base of room {id} can be read: {'; '.join(refused.values()) or 'there is none'}")
        owner = history[-1]
        room = Room.restore(
            found.body, id, program, c=found.key.c, epoch=owner.epoch, branch=owner.branch,
            rooms=self._known, guard=self._guard,
        )  # fmt: skip
        room.check()
        room.state_hash()  # the first one takes long for a large room, later ones only what changed
        running = Running(room, HostEnd(room, self._send), program, self._config.games[game], owner)
        running.records = 1  # it gets a base of its own soon after it has come
        return running

    def _new(self, id: str, owner: Owner | None, *, c: int, branch: int) -> Ready:
        room = Room.new(
            id, self._programs.current(self._config.rooms[id]), seed=self._entropy(16), clock_us=self._clock.now_us(),
            c=c, branch=branch, rooms=self._known, guard=self._guard,
        )  # fmt: skip
        return Ready(room, owner)

    def _taken(self, ready: Ready, row: Owner) -> Taken:
        room, found = ready.room, ready.found
        game = self._config.rooms[room.id]
        program = self._programs.at(game, room.program.generation)
        running = Running(room, HostEnd(room, self._send), program, self._config.games[game], row)
        if found is None:  # a new state begins with a base, so that its records have a ground
            self._stores.bases.store(self._stores.bases.capture(room))
            running.based, running.based_s, running.newest_c = True, time.monotonic(), room.c
            return Taken(running, new=True)
        for refused in found.refused:
            self._notify({"kind": "base-refused", "room": room.id, "reason": refused})
        running.records = found.records
        running.lost_code = found.generation != program.generation
        running.based = not found.records and not found.refused
        running.based_s = time.monotonic() + FIRST_BASE_S - running.game.base_every_s
        return Taken(running, found.records, ready.rolled_back)
