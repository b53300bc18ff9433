"""A simulated world: time, entropy, disk, processes and links of one test, all decided by one seed.

What a failure keeps is what the real world promises, and nothing more:

- A process that crashes keeps what it appended to its journal. Whatever it had not received is lost; of what it
  had sent, any suffix may be lost. Its journal's lock is free.
- A power loss ends all processes. Journals keep what was synced, and any part of the rest that has no gap. Blobs
  and owner rows are written durably, so they stay.

Every choice comes from `SimWorld.random`, so the seed reproduces a failure; it is printed when a test fails,
because pytest shows what was written to stderr. Faults are placed by name, as in a real process (`perdure faults`).
"""

from __future__ import annotations

import random
import sys
from collections import deque
from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

from perdure.errors import ClaimLost, StorageError
from perdure.faults import POINTS
from perdure.ports import Claim, Owner

M = TypeVar("M")

NOON_US = 1_800_000_000_000_000
"""When every simulated world begins, in microseconds since the Unix epoch."""


class SimClock:
    """The world's clock: it stands still until the test moves it."""

    def __init__(self) -> None:
        self._now_us = NOON_US

    def now_us(self) -> int:
        """Microseconds since the Unix epoch."""
        return self._now_us

    def advance(self, seconds: float) -> None:
        """Let time pass. Negative = the clock is set back, as wall clocks are."""
        self._now_us += round(seconds * 1_000_000)


class SimOwners:
    """Owner rows: compare-and-set, durable at once."""

    def __init__(self, world: SimWorld) -> None:
        self._world = world
        self._rows: dict[str, list[Owner]] = {}

    def read(self, room: str) -> Owner | None:
        """The current owner row, None for a room that nobody ever owned."""
        rows = self._rows.get(room)
        return rows[-1] if rows else None

    def history(self, room: str) -> list[Owner]:
        """All owner rows of the room, by rising epoch."""
        return list(self._rows.get(room, ()))

    def rooms(self) -> dict[str, Owner]:
        """Every room that was ever owned, with its current row."""
        return {room: rows[-1] for room, rows in self._rows.items()}

    def claim(self, room: str, expected: Owner | None, host: str, from_c: int, branch: int) -> Owner:
        """Take the room by compare-and-set.

        Raises:
            ClaimLost: The row is not `expected`; it is unchanged.
        """
        return self.claim_all([Claim(room, expected, from_c, branch)], host)[0]

    def claim_all(self, claims: Sequence[Claim], host: str) -> list[Owner]:
        """Take all of these rooms or none.

        Raises:
            ClaimLost: A row is not as expected; all are unchanged.
        """
        for claim in claims:
            if (row := self.read(claim.room)) != claim.expected:
                raise ClaimLost(f"room {claim.room} belongs to {row}, not {claim.expected}", op="store:owner-commit")
        self._world.fault("store:owner-commit")
        rows = [Owner(1 if c.expected is None else c.expected.epoch + 1, host, c.from_c, c.branch) for c in claims]
        for claim, row in zip(claims, rows, strict=True):
            self._rows.setdefault(claim.room, []).append(row)
        return rows


class SimBlobs:
    """Create-only objects, written durably or not at all."""

    def __init__(self, world: SimWorld) -> None:
        self._world = world
        self._blobs: dict[str, bytes] = {}

    def put(self, key: str, data: bytes) -> None:
        """Store durably. An existing key with the same bytes is fine, else StorageError."""
        for point in ("store:blob-write", "store:blob-rename", "store:blob-folder-sync"):
            self._world.fault(point)
        if self._blobs.setdefault(key, data) != data:
            raise StorageError(f"blob {key} exists with other bytes", op="store:blob-rename")

    def get(self, key: str) -> bytes:
        """The object's bytes. StorageError when there is none."""
        if key not in self._blobs:
            raise StorageError(f"there is no blob {key}", op="store:blob-read")
        return self._blobs[key]

    def list(self, prefix: str) -> list[str]:
        """All keys below the folder `prefix`, sorted."""
        return sorted(key for key in self._blobs if key.startswith(prefix.rstrip("/") + "/"))

    def delete(self, key: str) -> None:
        """Forget the object; a missing one is fine."""
        self._blobs.pop(key, None)


class SimRecord(NamedTuple):
    """A journal's line."""

    room: str
    c: int
    data: bytes


class SimJournal:
    """One process's append-only log.

    Attributes:
        host: Whose.
        records: What was appended and is still needed, in order.
        synced: How many of them survive a power loss.
        locked: Whether the process lives; nobody else may read it then.
        clean: Whether it was closed in order.
        keeping: Whether records that nobody needs stay.
    """

    def __init__(self, world: SimWorld, host: str) -> None:
        self._world = world
        self.host = host
        self.records: list[SimRecord] = []
        self.synced = 0
        self.locked = True
        self.clean = False
        self.keeping = False
        self._bases: dict[str, int] = {}
        self._removed = 0

    def append(self, room: str, c: int, record: bytes) -> None:
        """Append so that the record survives this process.

        Raises:
            StorageError: Arranged by the test; nothing was appended.
        """
        self._check_open("store:append")
        self._world.fault("store:append")
        self.records.append(SimRecord(room, c, record))

    def sync(self) -> None:
        """Make everything appended so far survive a power loss."""
        self._check_open("store:sync")
        self._world.fault("store:sync")
        self.synced = len(self.records)

    def based(self, room: str, c: int) -> None:
        """The room's records up to c are no longer needed; leading records that nobody needs are removed."""
        self._bases[room] = c
        self._remove_unneeded()

    def position(self) -> tuple[int, int]:
        """1 and how many records there were: it is one segment, of any size."""
        end = self._removed + len(self.records)
        return (1, end) if end else (0, 0)

    def keep(self, on: bool) -> None:
        """While on, no record is removed."""
        self.keeping = on
        self._remove_unneeded()

    def _remove_unneeded(self) -> None:
        if self.keeping:
            return
        count = 0
        while count < len(self.records) and self.records[count].c <= self._bases.get(self.records[count].room, -1):
            count += 1
        del self.records[:count]
        self.synced = max(0, self.synced - count)
        self._removed += count

    def close(self, clean: bool = False) -> None:
        """Release the lock; `clean` says that nothing needs recovery."""
        self.sync()
        self.locked, self.clean = False, clean

    def _check_open(self, op: str) -> None:
        if not self.locked:
            raise StorageError(f"the journal of {self.host} is closed", op=op)


class SimDisk:
    """What survives.

    Attributes:
        owners, blobs: Shared by all processes.
        journals: host -> its journal.
    """

    def __init__(self, world: SimWorld) -> None:
        self._world = world
        self.owners = SimOwners(world)
        self.blobs = SimBlobs(world)
        self.journals: dict[str, SimJournal] = {}

    def dead(self) -> dict[str, SimJournal]:
        """The journals that nobody holds, by host: what a recovery may read."""
        return {host: journal for host, journal in self.journals.items() if not journal.locked}

    def records(self, room: str) -> list[SimRecord]:
        """The room's records in dead journals, in the order of the journals' beginning."""
        return [record for journal in self.dead().values() for record in journal.records if record.room == room]


class SimEnd(Generic[M]):
    """One side of a link, owned by a process.

    Attributes:
        owner: The process.
        ended: Whether the other side is gone and all that it had sent was received.
    """

    def __init__(self, owner: SimProcess) -> None:
        self.owner = owner
        self._incoming: deque[M] = deque()
        self._other: SimEnd[M] | None = None

    def send(self, message: M) -> None:
        """Send; into nothing, when the other side is gone."""
        if self._other is not None and self.owner.alive:
            self._other._incoming.append(message)

    def receive(self) -> M | None:
        """The next message, None when none is there."""
        return self._incoming.popleft() if self._incoming else None

    @property
    def ended(self) -> bool:
        return self._other is None and not self._incoming

    def close(self, keep: int | None = None) -> None:
        """End the link from this side; of what this side sent and nobody received, the first `keep` stay."""
        other, self._other = self._other, None
        self._incoming.clear()
        if other is None:
            return
        other._other = None
        while keep is not None and len(other._incoming) > keep:
            other._incoming.pop()

    @property
    def unreceived(self) -> int:
        """How many messages of this side the other has not received."""
        return 0 if self._other is None else len(self._other._incoming)


class SimProcess:
    """Something that can die.

    Attributes:
        name: Unique among all that ever lived.
        alive: Whether it does.
        journal: Its journal.
    """

    def __init__(self, world: SimWorld, name: str) -> None:
        self._world = world
        self.name, self.alive = name, True
        self.journal = world.disk.journals[name] = SimJournal(world, name)
        self._ends: list[SimEnd[object]] = []

    def crash(self) -> None:
        """Die now, as by ``kill -9``."""
        assert self.alive, f"{self.name} has died already"
        self.alive = False
        self.journal.locked = False
        for end in self._ends:
            end.close(keep=self._world.random.randint(0, end.unreceived))
        self._ends.clear()


class SimWorld:
    """All of it.

    Args:
        seed: Decides everything; drawn, and printed, when it is None.

    Attributes:
        seed: As given or drawn.
        random: Where all choices come from; tests may draw from it, too.
        clock, disk: The world's.
        processes: All that live, by name.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = random.SystemRandom().getrandbits(32) if seed is None else seed
        sys.stderr.write(f"SimWorld(seed={self.seed})\n")
        self.random = random.Random(self.seed)
        self.clock = SimClock()
        self.disk = SimDisk(self)
        self.processes: dict[str, SimProcess] = {}
        self._faults: dict[str, tuple[int, BaseException]] = {}

    def entropy(self, size: int) -> bytes:
        """`size` bytes that look random and are the seed's."""
        return self.random.randbytes(size)

    def process(self, name: str) -> SimProcess:
        """A new process."""
        assert name not in self.disk.journals, f"there was a process {name} already"
        self.processes = {known: process for known, process in self.processes.items() if process.alive}
        self.processes[name] = process = SimProcess(self, name)
        return process

    def link(self, one: SimProcess, other: SimProcess) -> tuple[SimEnd[M], SimEnd[M]]:
        """A link between two processes, as both ends."""
        first, second = SimEnd[M](one), SimEnd[M](other)
        first._other, second._other = second, first
        one._ends.append(first)  # type: ignore[arg-type]  # a process only ends its links
        other._ends.append(second)  # type: ignore[arg-type]
        return first, second

    def lose_power(self) -> None:
        """Every process dies; journals keep what was synced, and any part of the rest without a gap."""
        for process in self.processes.values():
            if process.alive:
                process.crash()
        for journal in self.disk.journals.values():
            if not journal.clean:
                del journal.records[self.random.randint(journal.synced, len(journal.records)) :]
                journal.synced = len(journal.records)

    def fail(self, point: str, error: BaseException, *, count: int = 1) -> None:
        """Arrange that `error` is raised when the fault point is reached for the `count`-th time."""
        assert point in POINTS, f"{point} is no fault point; `perdure faults` lists them"
        self._faults[point] = count, error

    def fault(self, point: str) -> None:
        """A fault point; what processes under test are given as their `FaultPoint`."""
        if point not in self._faults:
            return
        count, error = self._faults.pop(point)
        if count == 1:
            raise error
        self._faults[point] = count - 1, error
