"""The journal: what a host did, appended before anybody is told.

One folder per host incarnation, written by one process, once: a lock file with who it is, numbered segments,
at a clean stop the marker ``clean``. An append is a copy into a shared mapping of a preallocated segment: the
page cache has it, so it survives the process, and no system call is made. `sync` makes it survive the machine.

The lock is held from before the folder has its name until the process is gone or the journal is closed, so
a reader that gets it (`DeadJournal.claim`) knows that nothing will be appended any more, which the claim
of the dead host's rooms relies on.

Disk space is taken per segment, before the first record goes in: a full disk is an error of `append` with
nothing appended, not a SIGBUS in the middle of one. (On a copy-on-write file system preallocation promises
less, and there it may be one.) A new segment's name is synced by the next `sync`, before that tells anybody
(FM-87): an append waits for no disk, which would hold all rooms of the host up for 20 ms per segment.
"""

from __future__ import annotations

import mmap
import os
import threading
from pathlib import Path

import msgspec

from perdure.errors import ContractError, StorageError
from perdure.faults import no_fault
from perdure.ports import FaultPoint
from perdure.store.dead import DeadJournal, HeldJournal
from perdure.store.durable import (
    UNFINISHED,
    remove_tree,
    storage_error,
    sync_folder,
    write_all,
    write_durably,
)
from perdure.store.files import close_lock, lock_file
from perdure.store.segments import (
    SEGMENT_FORMAT,
    SEGMENT_HEADER_BYTES,
    SUFFIX,
    CleanStop,
    Identity,
    SegmentHead,
    crc32c,
    encode_head,
    frame,
)

__all__ = ["DeadJournal", "HeldJournal", "SegmentJournal"]

SEGMENT_BYTES = 16 << 20
"""About 50,000 records. Whatever is unneeded is given back in pieces of this size."""


class _Segment:
    """One segment of a living journal.

    Attributes:
        fd: Open as long as there may be something to sync; -1 afterwards.
        last: room -> its last callback in here that no base has made unneeded.
    """

    def __init__(self, path: Path, number: int, fd: int, mapped: mmap.mmap) -> None:
        self.path, self.number, self.fd, self.size = path, number, fd, len(mapped)
        self.map = mapped
        self.end = SEGMENT_HEADER_BYTES
        self.last: dict[str, int] = {}

    def close(self) -> None:
        self.map.close()
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class SegmentJournal:
    """`ports.Journal` of one host incarnation.

    `append`, `based` and `keep` belong to one thread; `sync` may run in another beside them.

    Args:
        folder: The incarnation's own; must not exist yet, its parent must.
        host: The incarnation's id.
        boot_id: The machine's boot (``/proc/sys/kernel/random/boot_id``): after another one, what was not synced
            may be gone.
        segment_bytes: Size of a segment; a larger record gets one of its own size.
        fault: Asked before each allocation, append and sync.
    Raises:
        ContractError: The folder exists: an incarnation has one journal and one writer.
        StorageError: The disk failed; nothing of the folder is visible.
    """

    def __init__(
        self,
        folder: Path,
        host: str,
        boot_id: str,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        fault: FaultPoint = no_fault,
    ) -> None:
        self._folder, self._host, self._boot_id = folder, host, boot_id
        self._segment_bytes, self._fault = segment_bytes, fault
        encode_head(SegmentHead(SEGMENT_FORMAT, host, boot_id, 1, 0))  # refuse over-long ids now
        self._lock_fd = _create(folder, Identity(SEGMENT_FORMAT, host, boot_id, os.getpid()))
        self._room_crcs: dict[str, int] = {}
        self._current: _Segment | None = None
        self._full: list[_Segment] = []  # sealed, with records that somebody may need
        self._unsynced: list[_Segment] = []  # sealed, written since the last sync
        self._syncing = threading.Lock()
        self._named = self._named_synced = 0  # segments that got their names; those whose names are synced
        self._over: StorageError | ContractError | None = None
        self._keeping = False

    def position(self) -> tuple[int, int]:
        """(number of the segment, offset) behind the last record; 0 and 0 before the first segment."""
        return (self._current.number, self._current.end) if self._current else (0, 0)

    def get_ready(self) -> None:
        """Take the space of the first segment now, so that the first append does not wait for the disk.

        Raises:
            StorageError: There is no space; nothing was allocated.
        """
        if self._current is None:
            self._next_segment(0)

    def append(self, room: str, c: int, record: bytes) -> None:
        """Append so that the record survives this process.

        Raises:
            StorageError: Nothing was appended; with `retry` it may work later. Without, after a failed sync,
                the journal takes no more.
            ContractError: The journal is closed.
        """
        if self._over is not None:
            raise self._over.with_traceback(None)
        try:
            self._fault("store:append")
        except OSError as error:
            raise storage_error("store:append", "Appending to the journal", _NOTHING, error) from error
        room_crc = self._room_crcs.get(room)
        if room_crc is None:
            room_crc = self._room_crcs[room] = crc32c(room.encode())
        data = frame(room_crc, record)
        segment = self._current
        if segment is None or segment.end + len(data) > segment.size:
            segment = self._next_segment(len(data))
        end = segment.end + len(data)
        segment.map[segment.end : end] = data
        segment.end = end
        segment.last[room] = c

    def sync(self) -> None:
        """Make everything appended before the call survive a power loss. Blocks, without the interpreter.

        Raises:
            StorageError: Fail-stop: what was not synced may be lost even if a later sync succeeded, so there
                is none, and no more appends (FM-75).
        """
        with self._syncing:
            if self._over is not None:
                raise self._over.with_traceback(None)
            # Appends go on beside this. Read in this order, a segment that fills up in between is in `sealed`.
            named = self._named
            current = self._current
            sealed = self._unsynced[:]
            segments = sealed if current is None or current in sealed else [*sealed, current]
            try:
                for segment in segments:
                    self._fault("store:sync")
                    os.fdatasync(segment.fd)
                if named > self._named_synced:
                    self._fault("store:sync")
                    sync_folder(self._folder)
                    self._named_synced = named
            except OSError as error:
                self._over = StorageError(
                    f"Syncing the journal in {self._folder} failed: {error.strerror or error}. What was appended "
                    "since the last sync may be lost in a power loss; this journal takes no more. Look at the "
                    "disk, then restart the host: it recovers from what is there.",
                    op="store:sync",
                )
                raise self._over from error
            for segment in sealed:
                self._unsynced.remove(segment)
                segment.close()

    def based(self, room: str, c: int) -> None:
        """The room's records up to c are no longer needed: it has a durable base at c, or left this host.

        Segments that were filled and hold nobody's needed record any more are removed.

        Raises:
            StorageError: A segment could not be removed. It stays, and is tried again at the next base.
        """
        if self._current is not None:
            _forget(self._current, room, c)
        for segment in self._full[:]:
            _forget(segment, room, c)
            if not segment.last and not self._keeping:
                self._remove(segment)

    def keep(self, on: bool) -> None:
        """Remove no segment from here on, because somebody follows; off: remove what became unneeded meanwhile.

        Raises:
            StorageError: As `based`.
        """
        self._keeping = on
        if not on:
            for segment in [segment for segment in self._full if not segment.last]:
                self._remove(segment)

    def close(self, clean: bool = False) -> None:
        """Let go of the folder. A journal that ends without this is treated as its process's death.

        Args:
            clean: Sync, and leave the marker that says that the host stopped in order.
        Raises:
            StorageError: The sync or the marker failed; the journal stays as after a death. The lock is free.
        """
        if self._lock_fd < 0:
            return
        try:
            if clean:
                self.sync()
                self._mark_clean()
        finally:
            self._over = self._over or ContractError("The journal is closed.")
            with self._syncing:
                for segment in {*self._full, *self._unsynced, *([self._current] if self._current else [])}:
                    segment.close()
            os.close(self._lock_fd)
            self._lock_fd = -1

    def _next_segment(self, needed: int) -> _Segment:
        """A new current segment with room for `needed` bytes; the old one stays current if there is none."""
        before = self._current
        number = before.number + 1 if before else 1
        head = SegmentHead(SEGMENT_FORMAT, self._host, self._boot_id, number, before.end if before else 0)
        size = max(self._segment_bytes, SEGMENT_HEADER_BYTES + needed)
        path = self._folder / f"{number:06}{SUFFIX}"
        try:
            segment = _Segment(path, number, *_allocate(path, size, head, self._fault))
        except OSError as error:
            raise storage_error(
                "store:allocate", f"Allocating a journal segment in {self._folder}", _NOTHING, error
            ) from error
        if before is not None:
            self._unsynced.append(before)
            self._full.append(before)
        self._current = segment
        self._named += 1
        if before is not None and not before.last and not self._keeping:
            self._remove(before)
        return segment

    def _remove(self, segment: _Segment) -> None:
        try:
            segment.path.unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(
                "store:delete", f"Removing {segment.path}", "It stays; nothing is lost.", error
            ) from error
        self._full.remove(segment)
        # Its space is free once it is closed. If a sync holds it just now, that sync or the next closes it.
        if self._syncing.acquire(blocking=False):
            try:
                if segment in self._unsynced:
                    self._unsynced.remove(segment)
                segment.close()
            finally:
                self._syncing.release()

    def _mark_clean(self) -> None:
        last = self._current
        marker = CleanStop(last.number, last.end) if last else CleanStop(0, 0)
        try:
            write_durably(self._folder / "clean", frame(0, msgspec.msgpack.encode(marker)), self._fault)
        except OSError as error:
            raise storage_error(
                "store:blob-write", "Marking the journal's clean stop", "Its records are synced.", error
            ) from error


_NOTHING = "Nothing was appended."


def _create(folder: Path, identity: Identity) -> int:
    """Make the folder with its lock held before it has its name; the descriptor that holds it."""
    unfinished = folder.with_name(UNFINISHED + folder.name)
    taken = ContractError(
        f"The journal {folder} exists already, and a host's incarnation has one journal and one writer. It is "
        "untouched. Start the host under a new incarnation id."
    )
    lock_fd: int | None = None
    try:
        if folder.exists():
            raise taken
        unfinished.mkdir(mode=0o700)
        lock_fd = lock_file(unfinished / "lock")
        if lock_fd is None:
            raise taken
        write_all(lock_fd, msgspec.json.encode(identity))
        os.fsync(lock_fd)
        unfinished.rename(folder)
        sync_folder(folder.parent)
    except FileExistsError as error:
        raise taken from error
    except OSError as error:
        close_lock(lock_fd)
        remove_tree(unfinished)
        raise storage_error("store:allocate", f"Creating the journal {folder}", "There is none.", error) from error
    return lock_fd


def _allocate(path: Path, size: int, head: SegmentHead, fault: FaultPoint) -> tuple[int, mmap.mmap]:
    """A new segment with its space taken and its head written; its descriptor and mapping.

    It gets its name last, so that whoever follows the journal never sees one that came to nothing. Nothing is left
    on failure.
    """
    fault("store:allocate")
    unfinished = path.with_name(UNFINISHED + path.name)
    fd = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(fd, 0, size)
        write_all(fd, encode_head(head))
        mapped = mmap.mmap(fd, size)
        unfinished.rename(path)
    except BaseException:
        os.close(fd)
        unfinished.unlink(missing_ok=True)
        raise
    return fd, mapped


def _forget(segment: _Segment, room: str, c: int) -> None:
    if segment.last.get(room, c + 1) <= c:
        del segment.last[room]
