"""Reading the journal of a host that is alive, beside its writer and without its lock.

The writer copies frames into a mapping, in any order within a frame, and tells nobody. So a frame is there when its
CRCs fit, and until then it is not there *yet*: that is damage only before a position that the writer has named, be it
to us (`JournalTail.upto`) or by beginning the next segment, whose head says where the one before was full.

Reads are `pread`, never a mapping: somebody who shortens a file must not kill the reader.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from perdure.errors import StorageError
from perdure.store.durable import storage_error
from perdure.store.segments import (
    FRAME_HEADER_BYTES,
    SEGMENT_HEADER_BYTES,
    SUFFIX,
    Good,
    SegmentHead,
    decode_head,
    frame_at,
    header_at,
)

CHUNK_BYTES = 256 << 10
"""Read at once where there is something new."""


class _Open(NamedTuple):
    """A segment that we hold open, so that it stays readable when its writer removes it."""

    fd: int
    number: int
    begins_after: int


class JournalTail:
    """Follows the journal of one living incarnation from a position on.

    Belongs to one thread. It holds one or two descriptors.

    Args:
        folder: The incarnation's.
        segment, offset: Where to begin, as `SegmentJournal.position` says; (0, 0) is the journal's beginning.
    Raises:
        StorageError: There is no such segment any more: its writer removed it.
    """

    def __init__(self, folder: Path, segment: int, offset: int) -> None:
        self._folder = folder
        self._offset = max(offset, SEGMENT_HEADER_BYTES) if segment else 0
        self._segment = _Open(-1, 0, 0)
        self._next: _Open | None = None
        self._chunk, self._chunk_at = b"", 0
        self._found: list[bytes] = []
        if segment:
            opened = self._open(segment)
            if opened is None:
                raise self._gone(segment)
            self._segment = opened

    @property
    def position(self) -> tuple[int, int]:
        """(segment, offset) up to where it was read."""
        return self._segment.number, self._offset

    def read(self, budget_records: int | None = None) -> list[bytes]:
        """The records that have appeared since the last call, in order, at most `budget_records` of them.

        Raises:
            StorageError: A segment was removed before we got to it, or a record is damaged. What was good before it
                comes with the next call that succeeds.
        """
        while budget_records is None or len(self._found) < budget_records:
            reach = self._next.begins_after if self._next else None
            if self._offset == reach:
                self._go_over()
            elif not self._step(reach) and not (reach is None and self._look_for_next()):
                break
        return self._taken(budget_records)

    def upto(self, segment: int, end: int) -> list[bytes]:
        """All records up to a position that the writer named; none if that was read already.

        Raises:
            StorageError: They are not all there and whole; the message says what is wrong. As `read`.
        """
        while self.position < (segment, end):
            if self._segment.number < segment and self._next is None and not self._look_for_next():
                raise self._gone(self._segment.number + 1)
            reach = end if self._segment.number == segment or self._next is None else self._next.begins_after
            if self._offset == reach:
                self._go_over()
            else:
                self._step(reach)
        return self._taken(None)

    def close(self) -> None:
        """Let go of the journal."""
        for opened in (self._segment, self._next):
            if opened is not None and opened.fd >= 0:
                os.close(opened.fd)
        self._segment, self._next, self._chunk = self._segment._replace(fd=-1), None, b""

    def _taken(self, budget_records: int | None) -> list[bytes]:
        taken = self._found[:budget_records]
        del self._found[: len(taken)]
        return taken

    def _step(self, reach: int | None) -> bool:
        """Read one record; whether there was one. Up to `reach` there must be."""
        good = self._frame()
        if reach is not None and (good is None or good.end > reach):
            raise self._bad(reach)
        if good is None:
            return False
        self._found.append(good.payload)
        self._offset = good.end
        return True

    def _frame(self) -> Good | None:
        """The whole frame at our offset, with its end in the segment."""
        good = frame_at(self._chunk, self._offset - self._chunk_at) if self._chunk else None
        if good is None and self._read_chunk():
            good = frame_at(self._chunk, 0)
        return good._replace(end=good.end + self._chunk_at) if good else None

    def _read_chunk(self) -> bool:
        """Read anew from our offset on, if a frame begins there; in vain this costs one small read."""
        self._chunk, self._chunk_at = b"", self._offset
        if self._segment.fd < 0:
            return False
        try:
            header = header_at(os.pread(self._segment.fd, FRAME_HEADER_BYTES, self._offset), 0)
            if header is not None:
                length = max(CHUNK_BYTES, FRAME_HEADER_BYTES + header[0])
                self._chunk = os.pread(self._segment.fd, length, self._offset)
        except OSError as error:
            raise _failed(self._path(self._segment.number), error) from error
        return bool(self._chunk)

    def _look_for_next(self) -> bool:
        """Open the next segment, if there is one. From then on it is known how far this one goes."""
        number = self._segment.number + 1
        opened = self._open(number)
        if opened is None and self._is_passed(number):
            opened = self._open(number)  # it may have come after we looked, and the later one after that
            if opened is None:
                raise self._gone(number)
        self._next = opened
        return opened is not None

    def _is_passed(self, number: int) -> bool:
        """Whether there is a later segment than this one, or no journal at all."""
        try:
            return any(_number(name) > number for name in os.listdir(self._folder))
        except FileNotFoundError:
            return True
        except OSError as error:
            raise _failed(self._folder, error) from error

    def _go_over(self) -> None:
        """This segment was read to its end: on with the next."""
        assert self._next is not None
        if self._segment.fd >= 0:
            os.close(self._segment.fd)
        self._segment, self._next = self._next, None
        self._offset = SEGMENT_HEADER_BYTES
        self._chunk = b""

    def _open(self, number: int) -> _Open | None:
        """The segment of that number; None if there is none."""
        path = self._path(number)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _failed(path, error) from error
        try:
            head = _head(fd, path)
        except BaseException:
            os.close(fd)
            raise
        return _Open(fd, number, head.previous_end)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06}{SUFFIX}"

    def _gone(self, number: int) -> StorageError:
        return StorageError(
            f"{self._path(number)} is not there (any more). The host that wrote it goes on. Prepare again.",
            op="store:read",
            retry=True,
        )

    def _bad(self, reach: int) -> StorageError:
        return StorageError(
            f"{self._path(self._segment.number)} is damaged at byte {self._offset}: it must have whole records up to "
            f"byte {reach}. The host that wrote it goes on. Look at the disk.",
            op="store:read",
        )


def snapshot(folder: Path) -> Iterator[tuple[int, bytes]]:
    """(CRC of the room's id, record) of all whole records in a journal, in order, as it is now.

    For a journal whose writer lives: what lies behind the first bytes of a segment that are no record is not read, and
    segments that are removed meanwhile held nothing that anybody needs.

    Raises:
        StorageError: It cannot be read.
        ContractError: A Perdure wrote it whose format this one does not read.
    """
    for path in sorted(folder.glob("*" + SUFFIX)):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise _failed(path, error) from error
        decode_head(data)
        at = SEGMENT_HEADER_BYTES
        while (good := frame_at(data, at)) is not None:
            header = header_at(data, at)
            assert header is not None
            yield header[2], good.payload
            at = good.end


def _head(fd: int, path: Path) -> SegmentHead:
    """The segment's head: it was written before the segment had its name."""
    try:
        head = decode_head(os.pread(fd, SEGMENT_HEADER_BYTES, 0))
    except OSError as error:
        raise _failed(path, error) from error
    if head is None:
        raise StorageError(
            f"The head of {path} is damaged. The host that wrote it goes on. Look at the disk.", op="store:read"
        )
    return head


def _number(name: str) -> int:
    stem, dot, suffix = name.partition(".")
    return int(stem) if stem.isdecimal() and dot + suffix == SUFFIX else 0


def _failed(path: Path, error: OSError) -> StorageError:
    return storage_error("store:read", f"Reading {path}", "The host that writes there goes on.", error)
