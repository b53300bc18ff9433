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

import contextlib
import mmap
import os
import threading
from pathlib import Path

import msgspec

from perdure.errors import ContractError, StorageError
from perdure.ports import FaultPoint
from perdure.store.durable import (
    UNFINISHED,
    no_fault,
    remove_tree,
    storage_error,
    sync_folder,
    write_all,
    write_durably,
)
from perdure.store.files import lock_file
from perdure.store.segments import (
    SEGMENT_FORMAT,
    SEGMENT_HEADER_BYTES,
    Bad,
    Good,
    SegmentHead,
    crc32c,
    decode_head,
    encode_head,
    frame,
    walk,
)

SEGMENT_BYTES = 16 << 20
"""About 50,000 records. Whatever is unneeded is given back in pieces of this size."""

_SUFFIX = ".seg"


class _Identity(msgspec.Struct):
    """Content of the lock file; `pid` is for people."""

    format: int
    host: str
    boot_id: str
    pid: int


class _Clean(msgspec.Struct):
    """Content of the clean-stop marker: where the last segment ends, 0 and 0 without any."""

    segment: int
    end: int


class _Segment:
    """One segment of a living journal.

    Attributes:
        fd: Open as long as there may be something to sync; -1 afterwards.
        last: room -> its last callback in here that no base has made unneeded.
    """

    def __init__(self, path: Path, number: int, fd: int, size: int) -> None:
        self.path, self.number, self.fd, self.size = path, number, fd, size
        self.map = mmap.mmap(fd, size)
        self.end = SEGMENT_HEADER_BYTES
        self.last: dict[str, int] = {}

    def close(self) -> None:
        self.map.close()
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class SegmentJournal:
    """`ports.Journal` of one host incarnation.

    `append` and `based` belong to one thread; `sync` may run in another beside them.

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
        self._lock_fd = _create(folder, _Identity(SEGMENT_FORMAT, host, boot_id, os.getpid()))
        self._room_crcs: dict[str, int] = {}
        self._current: _Segment | None = None
        self._full: list[_Segment] = []  # sealed, with records that somebody may need
        self._unsynced: list[_Segment] = []  # sealed, written since the last sync
        self._syncing = threading.Lock()
        self._named = self._named_synced = 0  # segments that got their names; those whose names are synced
        self._over: StorageError | ContractError | None = None

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
            if not segment.last:
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
        path = self._folder / f"{number:06}{_SUFFIX}"
        try:
            segment = _Segment(path, number, _allocate(path, size, head, self._fault), size)
        except OSError as error:
            raise storage_error(
                "store:allocate", f"Allocating a journal segment in {self._folder}", _NOTHING, error
            ) from error
        if before is not None:
            self._unsynced.append(before)
            self._full.append(before)
        self._current = segment
        self._named += 1
        if before is not None and not before.last:
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
        marker = _Clean(last.number, last.end) if last else _Clean(0, 0)
        try:
            write_durably(self._folder / "clean", frame(0, msgspec.msgpack.encode(marker)), self._fault)
        except OSError as error:
            raise storage_error(
                "store:blob-write", "Marking the journal's clean stop", "Its records are synced.", error
            ) from error


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


class DeadJournal:
    """The journal of an incarnation that is gone; ours to read as long as this object holds its lock.

    Attributes:
        folder: The incarnation's.
        host: The incarnation's id.
        boot_id: The machine's boot during which it ran; "" if that was lost.
        clean: Whether it stopped in order.
        damage: Places where records are lost; empty for a torn tail.
    """

    def __init__(self, folder: Path, lock_fd: int) -> None:
        self.folder, self._lock_fd = folder, lock_fd
        self.host, self.boot_id = folder.name, ""
        with contextlib.suppress(msgspec.DecodeError):  # the segments say it too
            identity = msgspec.json.decode((folder / "lock").read_bytes(), type=_Identity)
            self.host, self.boot_id = identity.host, identity.boot_id
        marker = _read_clean(folder / "clean")
        self.clean = marker is not None
        self.damage: list[Damage] = []
        self._records: list[bytes] = []
        self._read(marker)

    @staticmethod
    def claim(folder: Path) -> DeadJournal | None:
        """The journal in `folder`, once its writer is gone.

        Returns:
            None if its lock is held: its writer lives, or somebody else is reading it. Also if there is no
            such journal any more.
        Raises:
            StorageError: It cannot be read.
            ContractError: A newer Perdure wrote it.
        """
        lock_fd: int | None = None
        try:
            lock_fd = lock_file(folder / "lock")
            return None if lock_fd is None else DeadJournal(folder, lock_fd)
        except FileNotFoundError:
            _close(lock_fd)
            return None
        except OSError as error:
            _close(lock_fd)
            raise storage_error("store:read", f"Reading the journal in {folder}", "It is untouched.", error) from error
        except BaseException:
            _close(lock_fd)
            raise

    def records(self) -> list[bytes]:
        """The good records, in the order in which they were appended."""
        return self._records

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
        _close(self._lock_fd)
        self._lock_fd = -1

    def _read(self, marker: _Clean | None) -> None:
        paths = sorted(self.folder.glob("*" + _SUFFIX))
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


def claim_dead(folder: Path) -> list[DeadJournal]:
    """Every journal below `folder` whose writer is gone, sorted by incarnation id; the living are left out.

    Raises:
        StorageError: One of them cannot be read. None is held then; `DeadJournal.claim` takes them singly.
    """
    claimed: list[DeadJournal] = []
    try:
        for entry in sorted(folder.iterdir()):
            dead = None if entry.name.startswith(UNFINISHED) else DeadJournal.claim(entry)
            claimed += [dead] if dead else []
    except BaseException:
        for dead in claimed:
            dead.close()
        raise
    return claimed


_NOTHING = "Nothing was appended."


def _create(folder: Path, identity: _Identity) -> int:
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
        _close(lock_fd)
        remove_tree(unfinished)
        raise storage_error("store:allocate", f"Creating the journal {folder}", "There is none.", error) from error
    return lock_fd


def _allocate(path: Path, size: int, head: SegmentHead, fault: FaultPoint) -> int:
    """A new segment with its space taken and its head written; its descriptor. Nothing is left on failure."""
    fault("store:allocate")
    unfinished = path.with_name(UNFINISHED + path.name)
    fd = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(fd, 0, size)
        write_all(fd, encode_head(head))
        unfinished.rename(path)
    except BaseException:
        os.close(fd)
        unfinished.unlink(missing_ok=True)
        raise
    return fd


def _forget(segment: _Segment, room: str, c: int) -> None:
    if segment.last.get(room, c + 1) <= c:
        del segment.last[room]


def _must_reach(number: int, following: list[SegmentHead | None], marker: _Clean | None) -> int | None:
    """The offset up to which a segment is known to have had records, if anything says so."""
    if following and following[0] is not None and following[0].number == number + 1:
        return following[0].previous_end
    if marker is not None and marker.segment == number:
        return marker.end
    return None


def _read_head(path: Path) -> SegmentHead | None:
    with path.open("rb") as file:
        return decode_head(file.read(SEGMENT_HEADER_BYTES))


def _read_clean(path: Path) -> _Clean | None:
    """The clean-stop marker; a damaged one says nothing, and is as none."""
    try:
        found = next(walk(path.read_bytes(), 0), None)
        return msgspec.msgpack.decode(found.payload, type=_Clean) if isinstance(found, Good) else None
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _number(path: Path) -> int:
    return int(path.stem) if path.stem.isdecimal() else 0


def _close(fd: int | None) -> None:
    if fd is not None and fd >= 0:
        os.close(fd)
