"""What children write to stdout and stderr: always read, kept in bounded files, never waited for (FM-59)."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

FILE_BYTES_MAX = 8 * 1024 * 1024
"""A file is turned over once it is this long; the one before it is kept as NAME.log.1."""
TAIL_BYTES_MAX = 16 * 1024
_PIPE_BYTES = 1024 * 1024  # what a child may write while the supervisor is busy


class Output:
    """The output of one instance, over all its incarnations.

    A write that fails (a full disk) loses those bytes; reading goes on, because a child that waits for its
    log would be a child that hangs.

    Args:
        told: Called with what was read, for whoever reads along.

    Attributes:
        path: The file that is written now.
    """

    def __init__(
        self, path: Path, *, bytes_max: int = FILE_BYTES_MAX, told: Callable[[bytes], None] | None = None
    ) -> None:
        self.path, self._bytes_max, self._told = path, bytes_max, told
        self._file: int | None = None
        self._size = 0
        self._tail = b""
        self._readers: set[int] = set()

    def open_pipe(self) -> int:
        """The writing end for a new child; the caller closes it once the child has it. Forgets the tail."""
        reading, writing = os.pipe()
        with suppress(OSError):  # more than this user may have: the usual 64 KiB do as well
            fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        os.set_blocking(reading, False)
        self._readers.add(reading)
        asyncio.get_running_loop().add_reader(reading, self._read, reading)
        self._tail = b""
        return writing

    def tail(self) -> str:
        """The last that the newest child wrote, read up to this moment."""
        for reading in list(self._readers):
            while self._read(reading):
                pass
        return self._tail.decode(errors="replace")

    def close(self) -> None:
        """Read what is there, then let go of everything."""
        self.tail()
        for reading in list(self._readers):
            self._forget(reading)
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _read(self, reading: int) -> bool:
        try:
            data = os.read(reading, 1 << 16)
        except BlockingIOError:
            return False
        if not data:
            self._forget(reading)
            return False
        self._tail = (self._tail + data)[-TAIL_BYTES_MAX:]
        self._keep(data)
        if self._told is not None:
            self._told(data)
        return True

    def _forget(self, reading: int) -> None:
        asyncio.get_running_loop().remove_reader(reading)
        self._readers.discard(reading)
        os.close(reading)

    def _keep(self, data: bytes) -> None:
        with suppress(OSError):  # see above: nobody waits for the disk
            if self._file is None:
                self._open()
            elif self._size > self._bytes_max:
                self._turn_over()
            assert self._file is not None
            self._size += os.write(self._file, data)

    def _open(self) -> None:
        self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._file).st_size

    def _turn_over(self) -> None:
        assert self._file is not None
        os.close(self._file)
        self._file = None
        os.replace(self.path, self.path.with_name(self.path.name + ".1"))
        self._open()
