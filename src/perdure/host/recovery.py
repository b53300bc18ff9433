"""Recovery: what dead hosts left behind becomes running rooms again. Runs no game code.

Order (protocol, Recover): take the lock of the dead host's journal, read it to its end, and only then
claim the room by compare-and-set with the callback number that was reached. Records of an owner beyond
its successor's first callback are void. A torn tail was never acknowledged and is cut; any other damage
concerns one room, which is put aside by name while all others go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import google_crc32c

from perdure.errors import PerdureError, Unavailable
from perdure.host.bases import Bases, Found
from perdure.host.running import Programs
from perdure.ports import Owner
from perdure.room.machine import Guard, Room
from perdure.room.record import Record, Reloaded, decode_record
from perdure.store.durable import UNFINISHED
from perdure.store.journal import DeadJournal


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


class DeadHosts:
    """The journals of all dead hosts, locked and read.

    Args:
        folder: Holds one folder for each incarnation.
        own: The incarnation that reads; its folder is passed over.

    Raises:
        Unavailable: A journal is locked: its host is alive.
    """

    def __init__(self, folder: Path, own: str) -> None:
        self.journals: dict[str, DeadJournal] = {}
        self._lines: dict[str, dict[str, Line]] = {}
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            if path.name != own and not path.name.startswith(UNFINISHED):
                self._read(path)

    def _read(self, path: Path) -> None:
        journal = DeadJournal.claim(path)
        if journal is None:
            if not path.exists():
                return
            raise Unavailable(
                f"the journal {path.name} belongs to a host that is alive. Its rooms stay with it.", op="host:recover"
            )
        self.journals[path.name] = journal
        for position, data in enumerate(journal.records()):
            record = decode_record(data)
            lines = self._lines.setdefault(record.room, {})
            entries = lines[path.name].entries if path.name in lines else {}
            entries[record.epoch, record.c] = Entry(record, data)
            lines[path.name] = Line(entries, position)

    def entries(self, room: str) -> dict[tuple[int, int], Entry]:
        """(epoch, c) -> record, from all dead hosts."""
        return {at: entry for line in self._lines.get(room, {}).values() for at, entry in line.entries.items()}

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

    def forget(self, based: set[str], owners: Mapping[str, Owner]) -> None:
        """Delete the journals that only rooms among `based` could still need.

        Others may need their records, or, without a record of their own, to know how their last owner ended.

        Args:
            owners: Every room that was ever owned, with its current row.

        Raises:
            StorageError: One could not be removed; it no longer counts as a journal.
        """
        needed = {host for room, lines in self._lines.items() if room not in based for host in lines}
        needed |= {owner.host for room, owner in owners.items() if room not in based}
        for host in self.journals.keys() - needed:
            self.journals.pop(host).delete()
            for lines in self._lines.values():
                lines.pop(host, None)


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
    entries = dead.entries(id)
    found, refused = bases.newest(id, game, history)
    if found is None:
        if entries or refused:
            raise Damaged(f"no base of room {id} can be read: {'; '.join(refused.values()) or 'there is none'}")
        return None
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


def _epoch_at(c: int, history: list[Owner]) -> int:
    """The epoch whose record number c counts: of the last owner that began before it."""
    return next((owner.epoch for owner in reversed(history) if owner.from_c < c), 0)
