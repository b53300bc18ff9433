"""Bases: sealed snapshots of running rooms, from which recovery starts.

Two bases of a room are kept, and the journal back to the older one: a base that turns out to be
unreadable costs nothing. Capturing happens on the host's thread at a quiescent point; packing, sealing
and storing happen beside it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

from perdure.errors import SnapshotRefused, StorageError
from perdure.ports import Blobs, Clock, Owner
from perdure.room.machine import Room
from perdure.snapshot.body import Body, read_body, sections
from perdure.snapshot.header import Header
from perdure.snapshot.keys import KeyRing
from perdure.snapshot.seal import open_sealed, seal
from perdure.store.blobs import base_key, base_of, room_folder

KEPT = 2
BODY_BYTES_MAX = 1 << 30


class BaseKey(NamedTuple):
    """Where a base stands in its room's history."""

    epoch: int
    c: int


class Captured(NamedTuple):
    """A room's value as of one callback, on its way to the store."""

    header: Header
    body: Body


class Found(NamedTuple):
    """A base that verified; `generation` is the code that ran when it was captured."""

    key: BaseKey
    generation: str
    body: Body


class Bases:
    """The stored bases of rooms.

    Args:
        blobs: Where they are kept, under ``ROOM/EPOCH/C``.
        keys: Seals and verifies.
        written_by: What snapshots say of the program that captured them, for people.
    """

    def __init__(self, blobs: Blobs, keys: KeyRing, clock: Clock, written_by: str = "") -> None:
        self._blobs, self._keys, self._clock, self._written_by = blobs, keys, clock, written_by

    def capture(self, room: Room) -> Captured:
        """The room's value now; quick. The room must be quiescent."""
        program = room.program
        header = Header(
            game=program.game,
            room=room.id,
            epoch=room.epoch,
            c=room.c,
            branch=room.branch,
            generation=program.generation,
            versions=dict(program.versions),
            created_us=self._clock.now_us(),
            roster=[seat.who.name for seat in room.open.values()],
            state_hash=room.state_hash(),
            written_by=self._written_by,
        )
        return Captured(header, room.capture())

    def store(self, captured: Captured) -> tuple[BaseKey, BaseKey]:
        """Pack, seal and store durably; slow, for any thread. Returns the oldest and the newest base that are kept.

        Raises:
            StorageError: It is not stored; the bases before it are untouched.
        """
        header = captured.header
        self._blobs.put(
            base_key(header.room, header.epoch, header.c), seal(header, sections(captured.body), self._keys)
        )
        keys = self._all(header.room)
        for old in keys[:-KEPT]:
            with suppress(StorageError):  # it is superseded, and deleted with the next one
                self._blobs.delete(base_key(header.room, *old))
        return keys[-KEPT:][0], keys[-1]

    def grounded(self, room: str, owner: Owner) -> bool:
        """Whether the room has a base that was stored under this ownership or a later one."""
        return any(key.epoch >= owner.epoch for key in self._all(room))

    def newest(self, room: str, game: str, history: list[Owner]) -> tuple[Found | None, dict[BaseKey, str]]:
        """The newest base of the room that verifies and belongs to its history, and why newer ones were refused."""
        refused: dict[BaseKey, str] = {}
        for key in reversed(self._all(room)):
            if not _valid(key, history):
                continue
            name = base_key(room, *key)
            try:
                opened = open_sealed(
                    self._blobs.get(name), self._keys, body_bytes_max=BODY_BYTES_MAX, room=room, game=game
                )
                if (opened.header.epoch, opened.header.c) != key:
                    raise SnapshotRefused("epoch", f"it says that it is base {opened.header.epoch}/{opened.header.c}")
                return Found(key, opened.header.generation, read_body(opened.body)), refused
            except (SnapshotRefused, StorageError) as error:
                refused[key] = f"base {name}: {error}"
        return None, refused

    def _all(self, room: str) -> list[BaseKey]:
        return [BaseKey(*base_of(key)[1:]) for key in self._blobs.list(room_folder(room))]


def _valid(key: BaseKey, history: list[Owner]) -> bool:
    """Whether the base's state is part of the room's history, and not beyond where a later owner began."""
    return all(owner.from_c >= key.c for owner in history if owner.epoch > key.epoch)
