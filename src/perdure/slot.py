"""The executing slot: what a host is doing right now, in memory that outlives it.

One page in a memfd that the supervisor holds. The host writes it before each callback and clears it
when the callback's record is durable; after the host's death the supervisor reads what killed it.
"""

from __future__ import annotations

import mmap
import os
import struct
import time

import msgspec

SLOT_BYTES = 4096
_HEAD = struct.Struct("<IIQ")  # state, budget in ms, started (CLOCK_MONOTONIC, ns)
_BODY = struct.Struct("<QQqH")  # c, j, n, length of the names
_NAMES_MAX = SLOT_BYTES - _HEAD.size - _BODY.size


class Executing(msgspec.Struct, frozen=True):
    """A callback in progress.

    Attributes:
        room, c: Which callback of which room.
        session, j, n: The event that caused it; session "" and n -1 when something else did.
        started_ns: CLOCK_MONOTONIC.
        budget_ms: After this it should have been cut.
    """

    room: str
    c: int
    session: str
    j: int
    n: int
    started_ns: int
    budget_ms: int

    @property
    def identity(self) -> tuple[str, int, str, int, int]:
        """What makes two deaths "on the same slot"."""
        return self.room, self.c, self.session, self.j, self.n


class Slot:
    """The slot behind a file descriptor (a memfd of `SLOT_BYTES`), mapped shared."""

    def __init__(self, fd: int) -> None:
        self._map = mmap.mmap(fd, SLOT_BYTES)

    @staticmethod
    def create() -> int:
        """A new memfd for a slot; the caller owns the descriptor."""
        fd = os.memfd_create("perdure-slot", os.MFD_CLOEXEC)
        os.ftruncate(fd, SLOT_BYTES)
        return fd

    def begin(self, room: str, c: int, session: str, j: int, n: int, budget_ms: int) -> None:
        """A callback is about to run."""
        names = f"{room}\0{session}".encode()[:_NAMES_MAX]
        _BODY.pack_into(self._map, _HEAD.size, c, j, n, len(names))
        start = _HEAD.size + _BODY.size
        self._map[start : start + len(names)] = names
        _HEAD.pack_into(self._map, 0, 1, budget_ms, time.monotonic_ns())

    def clear(self) -> None:
        """The callback's record is durable."""
        self._map[0] = 0

    def read(self) -> Executing | None:
        """What is in progress, None for nothing."""
        state, budget_ms, started_ns = _HEAD.unpack_from(self._map, 0)
        if not state:
            return None
        c, j, n, length = _BODY.unpack_from(self._map, _HEAD.size)
        start = _HEAD.size + _BODY.size
        room, _, session = self._map[start : start + length].decode(errors="replace").partition("\0")
        return Executing(room, c, session, j, n, started_ns, budget_ms)

    def close(self) -> None:
        """Unmap; the memory lives as long as somebody holds its descriptor."""
        self._map.close()
