"""Recovery: what dead hosts left behind becomes running rooms again. Runs no game code.

Order (protocol, Recover): take the lock of the dead host's journal, read it to its end, and only then
claim the room by compare-and-set with the callback number that was reached. Records of an owner beyond
its successor's first callback are void; up to it they count, also if that owner is alive, for it had
stopped there. A room whose last owner is alive is left alone. A torn tail was never acknowledged and is
cut; any other damage concerns one room, which is put aside by name while all others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import google_crc32c

from perdure.errors import PerdureError
from perdure.host.bases import Bases, Found
from perdure.host.running import Programs
from perdure.ports import Owner
from perdure.room.machine import Guard, Room
from perdure.room.record import Record, Reloaded, decode_record
from perdure.store.durable import UNFINISHED
from perdure.store.journal import DeadJournal, HeldJournal
from perdure.store.tail import snapshot


class Damaged(PerdureError):
    """A room's history has a hole: the room is put aside, nothing of it is changed."""


class Entry(NamedTuple):
    """A record from a journal, with its bytes."""

    record: Record
    data: bytes


class Line(NamedTuple):
    """What one dead host's journal says of one room; `last` is the position of its last record there."""

    entries: dict[tuple[int, int], Entry]
    last: int


class Read(NamedTuple):
    """What the journals of other hosts say; nothing is known of it before it is booked.

    Attributes:
        journals: Incarnation -> the journal of a dead host, whose lock we hold, and what it says of each room.
        living: Those whose locks are held.
    """

    journals: dict[str, tuple[DeadJournal, dict[str, Line]]]
    living: set[str]


class Adopted(NamedTuple):
    """The journal of a host that ended in order after its rooms had moved away; unread."""

    journal: HeldJournal
    rooms: frozenset[str]


class DeadHosts:
    """The journals of all dead hosts, locked and read; and those of living ones beside us, as far as one needs them.

    A host is dead when its journal's lock can be had. The journals of living ones are read without it, and only for
    what they recorded of a room before a later owner began, which they will not add to any more.

    Args:
        folder: Holds one folder for each incarnation.
        own: The incarnation that reads; it is alive.
        claim: False for a host that takes nothing as yet: the locks are for others to take, and until `look_again`
            every other host counts as alive.

    Attributes:
        journals: Incarnation -> the journal of a dead host, which we hold.
        living: The other hosts that were alive when we last looked, or whose journals somebody else reads.
    """

    def __init__(self, folder: Path, own: str, *, claim: bool = True) -> None:
        self.journals: dict[str, DeadJournal] = {}
        self.living: set[str] = set()
        self._folder, self._own = folder, own
        self._lines: dict[str, dict[str, Line]] = {}
        self._adopted: dict[str, Adopted] = {}
        self._beside: dict[str, dict[int, list[bytes]]] = {}
        if claim:
            self.look_again()
        else:
            self.living = {path.name for path in self._others()}

    def look_again(self) -> set[str]:
        """Take the journals of hosts that have died since we last looked, and read them. Returns those hosts.

        Raises:
            StorageError: One cannot be read; none is ours.
            ContractError: A Perdure wrote one whose format this one does not read.
        """
        return self.book(self.read())

    def read(self) -> Read:
        """The journals of those hosts, whole: for any thread, as it takes long. What it returns must be booked.

        Until then they count as alive, for us too: of a journal that is half read no room may be recovered.

        Raises:
            StorageError, ContractError: As of `look_again`; no lock is kept.
        """
        journals: dict[str, tuple[DeadJournal, dict[str, Line]]] = {}
        living = set()
        with ExitStack() as held:
            for path in self._others():
                journal = DeadJournal.claim(path)
                if journal is not None:
                    held.callback(journal.close)
                    journals[path.name] = journal, _lines(journal)
                elif path.exists():
                    living.add(path.name)
            held.pop_all()
        return Read(journals, living)

    def book(self, read: Read) -> set[str]:
        """From now on those hosts are dead, and their journals ours. Returns the hosts."""
        self.let_go_of_living()
        self.living = read.living
        for host, (journal, lines) in read.journals.items():
            self.journals[host] = journal
            for room, line in lines.items():
                self._lines.setdefault(room, {})[host] = line
        return set(read.journals)

    def alive(self, incarnation: str) -> bool:
        """Whether the host may still write. One that appeared since we last looked is alive."""
        held = incarnation in self.journals or incarnation in self._adopted
        return incarnation == self._own or (not held and (self._folder / incarnation).exists())

    def adopt(self, incarnation: str, rooms: Iterable[str]) -> bool:
        """Take the journal of a host that ended in order and owns no room any more, without reading it.

        Args:
            rooms: All that it ever owned: `forget` deletes the journal when none of them can need it.

        Returns:
            False if the host is still alive, or its journal is gone already.
        """
        if incarnation not in self.journals and incarnation not in self._adopted:
            held = HeldJournal.claim(self._folder / incarnation)
            if held is None:
                return False
            self._adopted[incarnation] = Adopted(held, frozenset(rooms))
            self.living.discard(incarnation)
        return True

    @property
    def holds(self) -> bool:
        """Whether there is a dead host's journal that is to be deleted some day."""
        return bool(self.journals or self._adopted)

    def close(self) -> None:
        """Let go of all journals, unchanged."""
        for journal in self._held().values():
            journal.close()

    def let_go(self) -> None:
        """Leave the dead to another host, who takes what they have left."""
        self.close()
        self.living |= self._held().keys()
        self.journals.clear()
        self._adopted.clear()
        self._lines.clear()

    def let_go_of_living(self) -> None:
        """Forget what was read of journals that we do not hold: they may have more by now."""
        self._beside.clear()

    def _held(self) -> dict[str, HeldJournal]:
        return {**self.journals, **{host: adopted.journal for host, adopted in self._adopted.items()}}

    def _others(self) -> list[Path]:
        """The journals of others that we do not hold."""
        passed = {self._own, *self.journals, *self._adopted}  # each in one step: the loop changes them meanwhile
        paths = sorted(self._folder.iterdir()) if self._folder.is_dir() else []
        return [path for path in paths if path.name not in passed and not path.name.startswith(UNFINISHED)]

    def entries(self, room: str, earlier: Iterable[str] = ()) -> dict[tuple[int, int], Entry]:
        """(epoch, c) -> record, from all dead hosts.

        Args:
            earlier: Owners of the room before its last one, whose records are read too if they are alive.
        """
        found = {at: entry for line in self._lines.get(room, {}).values() for at, entry in line.entries.items()}
        crc = google_crc32c.value(room.encode())
        for host in set(earlier) - self.journals.keys():
            for data in self._read_beside(host).get(crc, ()):
                record = decode_record(data)
                if record.room == room:
                    found[record.epoch, record.c] = Entry(record, data)
        return found

    def _read_beside(self, host: str) -> dict[int, list[bytes]]:
        """CRC of a room's id -> records, of a journal that we have not read: kept, as several rooms may need it."""
        if host not in self._beside:
            records = self._beside[host] = {}
            for crc, data in snapshot(self._folder / host):
                records.setdefault(crc, []).append(data)
        return self._beside[host]

    def damage(self, room: str, owner: Owner) -> str:
        """Damage that may have swallowed the room's last record under its last owner; "" for none.

        A hole before a good record of the room shows in the chain of records instead, and one at the end of an
        earlier ownership as records that are missing before `owner.from_c`.
        """
        crc = google_crc32c.value(room.encode())
        line = self._lines.get(room, {}).get(owner.host)
        for found in self.journals[owner.host].damage if owner.host in self.journals else ():
            if (line is None or line.last < found.position) and found.room_crc in (None, crc):
                return found.message
        return ""

    def lost_history(self, owner: Owner, durability: str, boot_id: str) -> bool:
        """Whether the owner's end may have cost acknowledged history, so that a new branch begins."""
        journal = self.journals.get(owner.host)
        match durability:
            case "none":
                return True
            case _ if journal is None or journal.clean:
                return False
            case "checkpoint":
                return True
            case "process":
                return journal.boot_id != boot_id
        return False

    def forget(self, based: set[str], owners: Mapping[str, Owner], grounded: Callable[[str, Owner], bool]) -> None:
        """Delete the journals of dead hosts that no room could still need.

        A room may need its records, or, without a record of its own, to know how its last owner ended. It does not if
        it runs here on a base of its own, or on another living host that has stored one.

        Args:
            based: The rooms that run here on a base of their own.
            owners: Every room that was ever owned, with its current row.
            grounded: Whether a room has a base that this owner stored.

        Raises:
            StorageError: One could not be removed; it no longer counts as a journal.
        """

        def safe(room: str) -> bool:
            owner = owners.get(room)
            if room in based or owner is None or owner.host == self._own:
                return room in based
            return self.alive(owner.host) and grounded(room, owner)

        for host in list(self._held()):
            if all(map(safe, self._rooms_of(host, owners))):
                journal = self.journals.pop(host, None) or self._adopted.pop(host).journal
                for lines in self._lines.values():
                    lines.pop(host, None)
                journal.delete()

    def _rooms_of(self, host: str, owners: Mapping[str, Owner]) -> set[str]:
        """The rooms that may need the journal of a dead host."""
        rooms = {room for room, lines in self._lines.items() if host in lines}
        rooms |= {room for room, owner in owners.items() if owner.host == host}
        return rooms | self._adopted[host].rooms if host in self._adopted else rooms


class Recovered(NamedTuple):
    """A room as it was when its last owner ended, not yet claimed.

    Attributes:
        room: Of the last owner's epoch and branch.
        records: How many records were booked on top of the base.
        refused: Why newer bases could not be used.
        damage: What is wrong with the history beyond, where that was accepted; "" for nothing.
        generation: The code that its history names.
    """

    room: Room
    records: int
    refused: list[str]
    damage: str
    generation: str


def _lines(journal: DeadJournal) -> dict[str, Line]:
    """What a journal says of each room."""
    lines: dict[str, Line] = {}
    for position, data in enumerate(journal.records()):
        record = decode_record(data)
        entries = lines[record.room].entries if record.room in lines else {}
        entries[record.epoch, record.c] = Entry(record, data)
        lines[record.room] = Line(entries, position)
    return lines


def recover(
    id: str,
    game: str,
    programs: Programs,
    history: list[Owner],
    bases: Bases,
    dead: DeadHosts,
    rooms: frozenset[str],
    guard: Guard,
    *,
    accept_damage: bool = False,
) -> Recovered | None:
    """The room at the end of its recorded history; None if it has none yet (it was claimed, and nothing more).

    Raises:
        Damaged: The history has a hole. With `accept_damage` it ends there instead.
        SchemaError: The program cannot read the stored rows.
    """
    found, refused = bases.newest(id, game, history)
    if found is None:
        if refused or dead.entries(id, [owner.host for owner in history[:-1]]):
            raise Damaged(f"no base of room {id} can be read: {'; '.join(refused.values()) or 'there is none'}")
        return None
    entries = dead.entries(id, _owners_between(found.key.c, history))
    owner = history[-1]
    generation = _generation(found, entries, history)
    program = programs.at(game, generation)
    room = Room.restore(
        found.body, id, program, c=found.key.c, epoch=owner.epoch, branch=owner.branch, rooms=rooms, guard=guard
    )
    problem = _replay(room, entries, history) or dead.damage(id, owner)
    room.check()
    reached = max([owner.from_c, *(key.c for key in refused)])
    if not problem and room.c < reached:
        problem = f"records {room.c + 1} to {reached} are missing"
    if problem and not accept_damage:
        raise Damaged(f"room {id} is good up to callback {room.c}; {problem}")
    return Recovered(room, room.c - found.key.c, list(refused.values()), problem, generation)


def _generation(found: Found, entries: dict[tuple[int, int], Entry], history: list[Owner]) -> str:
    """The code that ran last: the base's, or what the last swap of code after it says."""
    generation, c = found.generation, found.key.c + 1
    while (entry := entries.get((_epoch_at(c, history), c))) is not None:
        if isinstance(entry.record.cause, Reloaded):
            generation = entry.record.cause.generation
        c += 1
    return generation


def _replay(room: Room, entries: dict[tuple[int, int], Entry], history: list[Owner]) -> str:
    """Book all records that follow; says what is wrong with the rest, "" for nothing."""
    while True:
        entry = entries.get((_epoch_at(room.c + 1, history), room.c + 1))
        if entry is None:
            break
        if entry.record.previous != room.last_digest:
            return f"record {room.c + 1} does not follow from the state before it"
        room.replay(entry.record, entry.data)
    beyond = [c for epoch, c in entries if c > room.c and epoch == _epoch_at(c, history)]
    return f"record {room.c + 1} is missing, and record {min(beyond)} is there" if beyond else ""


def _owners_between(c: int, history: list[Owner]) -> set[str]:
    """The hosts whose records count between callback c and the beginning of the last ownership."""
    return {owner.host for owner, later in pairwise(history) if later.from_c > max(c, owner.from_c)}


def _epoch_at(c: int, history: list[Owner]) -> int:
    """The epoch whose record number c counts: of the last owner that began before it."""
    return next((owner.epoch for owner in reversed(history) if owner.from_c < c), 0)
