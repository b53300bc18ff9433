"""How Perdure uses SQLite: durable, atomic between processes, never waiting for ever.

A rollback journal (TRUNCATE) with synchronous=FULL: each commit is on the disk when it returns. Not the
write-ahead log: its checksum chain ends at the first flipped byte, and every commit behind that is silently
gone, which for owner rows would let a stale owner write.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.frozen.v1.errors import ConfigError, StorageError

BUSY_TIMEOUT_S = 5.0
"""How long an operation waits for another process's transaction (FM-76)."""


class Database:
    """One SQLite file, usable from any thread of this process.

    Args:
        path: Created if missing, mode 0600.
        schema: Statements that create what is missing; run in one transaction.
        version: Of the schema. A file of a newer one is refused.
    Raises:
        ConfigError: A newer Perdure wrote the file; it is unchanged.
        StorageError: It is no database, damaged, or the disk failed.
    """

    def __init__(self, path: Path, schema: tuple[str, ...], version: int) -> None:
        self.path = path
        self._lock = threading.Lock()
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._connection = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise self._failed("opening", error) from error
        try:
            self._prepare(schema, version)
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self, schema: tuple[str, ...], version: int) -> None:
        try:
            self._connection.execute("PRAGMA journal_mode=TRUNCATE")
            self._connection.execute("PRAGMA synchronous=FULL")
        except sqlite3.Error as error:
            raise self._failed("opening", error) from error
        with self.read("opening") as cursor:
            (found,) = cursor.execute("PRAGMA user_version").fetchone()
        if found > version:
            raise ConfigError(
                f"{self.path} has format {found}; this Perdure reads format {version}. It is unchanged. "
                "Start the newer Perdure that wrote it."
            )
        if found < version:
            with self.write("opening") as cursor:
                for statement in schema:
                    cursor.execute(statement)
                cursor.execute(f"PRAGMA user_version={version}")

    @contextmanager
    def read(self, op: str) -> Iterator[sqlite3.Cursor]:
        """A cursor for reading one consistent state."""
        with self._lock, self._mapped(op):
            yield self._connection.cursor()

    @contextmanager
    def write(self, op: str) -> Iterator[sqlite3.Cursor]:
        """A cursor in a transaction that nobody else writes beside; committed at the end, or nothing is."""
        with self._lock, self._mapped(op):
            cursor = self._connection.cursor()
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    cursor.execute("ROLLBACK")
                raise

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def _mapped(self, op: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise self._failed(op, error) from error

    def _failed(self, op: str, error: Exception) -> StorageError:
        busy = isinstance(error, sqlite3.OperationalError) and "locked" in str(error)
        full = isinstance(error, sqlite3.OperationalError) and "full" in str(error)
        advice = (
            "Another process holds it; try again."
            if busy
            else "Free some space on that disk; it is tried again."
            if full or getattr(error, "errno", None) == errno.ENOSPC
            else "Look at the disk, and bring the file back from a backup if it is damaged."
        )
        return StorageError(
            f"{self.path}: {op} failed: {error}. Nothing of it was stored. {advice}",
            op=f"store:{self.path.stem}-{op}",
            retry=advice.endswith("again."),
        )
