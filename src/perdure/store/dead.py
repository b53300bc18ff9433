"""The journal of a host that is gone: read, judged, and removed when nobody needs it.

Whoever holds its lock knows that its writer is gone, so what it reads is all there will ever be. Reading changes
nothing; what is torn and what is damage is decided by the rules in `segments`.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Self

import msgspec

from perdure.store.durable import UNFINISHED, remove_tree, storage_error, sync_folder
from perdure.store.files import close_lock, lock_file
from perdure.store.segments import (
    SEGMENT_HEADER_BYTES,
    SUFFIX,
    Bad,
    CleanStop,
    Good,
    Identity,
    SegmentHead,
    decode_head,
    walk,
)


class Damage(msgspec.Struct, frozen=True):
    """A place in a journal where records are lost.

    Attributes:
        file: Path of the segment.
        offset: Where in it.
        room_crc: CRC-32C of the id of the room whose record it was, when the frame's header survived.
        position: How many good records came before it: index into `DeadJournal.records()`.
        message: For people.
    """

    file: str
    offset: int
    room_crc: int | None
    position: int
    message: str


class HeldJournal:
    """The journal of an incarnation that is gone, unread; ours alone as long as this object holds its lock.

    Attributes:
        folder: The incarnation's.
    """

    def __init__(self, folder: Path, lock_fd: int) -> None:
        self.folder, self._lock_fd = folder, lock_fd

    @classmethod
    def claim(cls, folder: Path) -> Self | None:
        """The journal in `folder`, once its writer is gone.

        Returns:
            None if its lock is held: its writer lives, or somebody else is reading it. Also if there is no
            such journal any more.
        Raises:
            StorageError: It cannot be read.
            ContractError: A Perdure wrote it whose format this one does not read.
        """
        lock_fd: int | None = None
        try:
            lock_fd = lock_file(folder / "lock")
            if lock_fd is None:
                return None
            if not os.path.samestat(os.fstat(lock_fd), os.stat(folder / "lock")):
                raise FileNotFoundError  # it was removed while we waited for nothing
            return cls(folder, lock_fd)
        except FileNotFoundError:
            close_lock(lock_fd)
            return None
        except OSError as error:
            close_lock(lock_fd)
            raise storage_error("store:read", f"Reading the journal in {folder}", "It is untouched.", error) from error
        except BaseException:
            close_lock(lock_fd)
            raise

    def delete(self) -> None:
        """Remove the journal: every room in it has a newer base, or was given up. Lets go of it, too.

        Raises:
            StorageError: It could not be removed; what is left of it no longer counts as a journal.
        """
        gone = self.folder.with_name(f"{UNFINISHED}gone-{self.folder.name}")
        try:
            self.folder.rename(gone)
            sync_folder(self.folder.parent)
            remove_tree(gone)
        except OSError as error:
            raise storage_error(
                "store:delete", f"Removing the journal {self.folder}", "Nothing is lost.", error
            ) from error
        finally:
            self.close()

    def close(self) -> None:
        """Let go of it, without changing it."""
        close_lock(self._lock_fd)
        self._lock_fd = -1


class DeadJournal(HeldJournal):
    """The journal of an incarnation that is gone, read when it was claimed.

    Attributes:
        host: The incarnation's id.
        boot_id: The machine's boot during which it ran; "" if that was lost.
        clean: Whether it stopped in order.
        damage: Places where records are lost; empty for a torn tail.
    """

    def __init__(self, folder: Path, lock_fd: int) -> None:
        super().__init__(folder, lock_fd)
        self.host, self.boot_id = folder.name, ""
        with contextlib.suppress(msgspec.DecodeError):  # the segments say it too
            identity = msgspec.json.decode((folder / "lock").read_bytes(), type=Identity)
            self.host, self.boot_id = identity.host, identity.boot_id
        marker = _read_clean(folder / "clean")
        self.clean = marker is not None
        self.damage: list[Damage] = []
        self._records: list[bytes] = []
        self._read(marker)

    def records(self) -> list[bytes]:
        """The good records, in the order in which they were appended."""
        return self._records

    def _read(self, marker: CleanStop | None) -> None:
        paths = sorted(self.folder.glob("*" + SUFFIX))
        heads = [_read_head(path) for path in paths]
        pending: list[tuple[Path, Bad]] = []  # damage if something good comes after them, else the torn tail
        for index, (path, head) in enumerate(zip(paths, heads, strict=True)):
            if head is not None:
                self.host, self.boot_id = head.host, head.boot_id
            elif index > 0 and _number(paths[index - 1]) == _number(path) - 1:
                pending.append((path, Bad(0, None)))  # how far the segment before went is not known
            must_reach = _must_reach(_number(path), heads[index + 1 : index + 2], marker)
            end = SEGMENT_HEADER_BYTES
            for found in walk(path.read_bytes()[:must_reach]):
                if isinstance(found, Bad):
                    pending.append((path, found))
                    continue
                self._report(pending)
                self._records.append(found.payload)
                end = found.end
            if must_reach is not None and end < must_reach:
                if not any(where == path for where, _ in pending):
                    pending.append((path, Bad(end, None)))
                self._report(pending)

    def _report(self, pending: list[tuple[Path, Bad]]) -> None:
        """The stretches in `pending` are damage: something good comes, or must come, after them."""
        position = len(self._records)
        for path, bad in pending:
            message = (
                f"{path} is damaged at byte {bad.offset}. The {position} records before it and those after it "
                "that verify are kept; the file is untouched. Look at the disk."
            )
            self.damage.append(Damage(str(path), bad.offset, bad.room_crc, position, message))
        pending.clear()


def _must_reach(number: int, following: list[SegmentHead | None], marker: CleanStop | None) -> int | None:
    """The offset up to which a segment is known to have had records, if anything says so."""
    if following and following[0] is not None and following[0].number == number + 1:
        return following[0].previous_end
    if marker is not None and marker.segment == number:
        return marker.end
    return None


def _read_head(path: Path) -> SegmentHead | None:
    with path.open("rb") as file:
        return decode_head(file.read(SEGMENT_HEADER_BYTES))


def _read_clean(path: Path) -> CleanStop | None:
    """The clean-stop marker; a damaged one says nothing, and is as none."""
    try:
        found = next(walk(path.read_bytes(), 0), None)
        return msgspec.msgpack.decode(found.payload, type=CleanStop) if isinstance(found, Good) else None
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _number(path: Path) -> int:
    return int(path.stem) if path.stem.isdecimal() else 0
