"""How Perdure uses SQLite: durable, atomic between processes, never waiting for ever.

A file of an older schema is used as it is until somebody says `upgrade`: a program that is only about to
take over must leave the file to the one that it replaces. An upgrade only adds, so that a process which has
the file open goes on working; opening it anew with the older program is refused.

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

from perdure.errors import ConfigError, StorageError
from perdure.versions import Versions

BUSY_TIMEOUT_S = 5.0
"""How long an operation waits for another process's transaction (FM-76)."""


NEW = 0
"""SQLite's version of a file that nobody has given one."""


class Database:
    """One SQLite file, usable from any thread of this process.

    Args:
        path: Created if missing, with the newest schema, mode 0600.
        schema: Statements that create what is missing; run in one transaction.
        versions: Of the schema. All of them can be used; files of others are refused.
    Raises:
        ConfigError: Another Perdure wrote the file, whose schema this one does not use; it is unchanged.
        StorageError: It is no database, damaged, or the disk failed.
    """

    def __init__(self, path: Path, schema: tuple[str, ...], versions: Versions) -> None:
        self.path, self._schema, self._versions = path, schema, versions
        self._lock = threading.Lock()
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._connection = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise self._failed("opening", error) from error
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        try:
            self._connection.execute("PRAGMA journal_mode=TRUNCATE")
            self._connection.execute("PRAGMA synchronous=FULL")
        except sqlite3.Error as error:
            raise self._failed("opening", error) from error
        with self.read("opening") as cursor:
            found = _version(cursor)
        if found == NEW:
            self.upgrade()
        elif not self._versions.has(found):
            raise self._refused(found)

    def upgrade(self) -> None:
        """Bring the file to the newest schema, in one transaction. From here on older programs cannot open it.

        Raises:
            ConfigError: A newer program has brought it further meanwhile.
            StorageError: It is as it was.
        """
        with self.write("upgrade") as cursor:
            found = _version(cursor)
            if found > self._versions.highest:
                raise self._refused(found)
            if found < self._versions.highest:
                for statement in self._schema:
                    cursor.execute(statement)
                cursor.execute(f"PRAGMA user_version={self._versions.highest}")

    def _refused(self, found: int) -> ConfigError:
        newer = found > self._versions.highest
        return ConfigError(
            f"{self.path} has format {found}; this Perdure uses format {self._versions.numbers}. It is unchanged. "
            + ("Start the newer Perdure that wrote it." if newer else "Let a Perdure in between serve it once.")
        )

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


def _version(cursor: sqlite3.Cursor) -> int:
    (found,) = cursor.execute("PRAGMA user_version").fetchone()
    return int(found)
