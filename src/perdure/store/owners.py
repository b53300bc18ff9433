"""Owner rows: who may run which room, by compare-and-set between processes.

A row is never changed: each claim adds one with the next epoch, and the highest is the current owner. The
history, as far as it is kept, says from which callback on each ownership counts, which recovery needs to void
the records of an owner that was superseded. Also here, because it must be as durable: the rooms put aside, which
generation of each game's code serves, and counters that only rise.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from perdure.errors import ClaimLost
from perdure.faults import no_fault
from perdure.ports import Aside, Claim, FaultPoint, Owner
from perdure.store.database import Database
from perdure.versions import OWNERS, Versions

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS owner (
        room TEXT NOT NULL, epoch INTEGER NOT NULL, host TEXT NOT NULL, from_c INTEGER NOT NULL,
        branch INTEGER NOT NULL, PRIMARY KEY (room, epoch)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS aside (
        room TEXT PRIMARY KEY, reason TEXT NOT NULL, c INTEGER NOT NULL, session TEXT NOT NULL,
        j INTEGER NOT NULL, n INTEGER NOT NULL, since_us INTEGER NOT NULL) WITHOUT ROWID""",
    "CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS trial (game TEXT PRIMARY KEY, id TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS generation (seq INTEGER PRIMARY KEY, game TEXT NOT NULL, id TEXT NOT NULL)",
)
ROWS_KEPT = 256
"""Ownerships of a room that are remembered. Recovery needs those since the older of its two bases: a few, for each
owner stores a base soon, and a crash loop stores them before it serves."""
_CURRENT = "SELECT epoch, host, from_c, branch FROM owner WHERE room = ? ORDER BY epoch DESC LIMIT 1"


class SqliteOwners:
    """`ports.Owners` and `ports.AsideList` in one SQLite file.

    Args:
        path: The file; every process of the server opens it for itself.
        fault: Asked before each claim, or group of claims, commits.

    Attributes:
        schema, versions: See `Database`; a statement here may only add.
    """

    schema: ClassVar[tuple[str, ...]] = _SCHEMA
    versions: ClassVar[Versions] = OWNERS

    def __init__(self, path: Path, fault: FaultPoint = no_fault) -> None:
        self._database = Database(path, self.schema, self.versions)
        self._fault = fault

    def upgrade(self) -> None:
        """Bring the file to this program's schema: only for a host that has the rooms, after the commit of its move.

        Raises:
            ConfigError, StorageError: As `Database.upgrade`.
        """
        self._database.upgrade()

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def read(self, room: str) -> Owner | None:
        with self._database.read("read") as cursor:
            return _current(cursor, room)

    def history(self, room: str) -> list[Owner]:
        with self._database.read("read") as cursor:
            rows = cursor.execute(
                "SELECT epoch, host, from_c, branch FROM owner WHERE room = ? ORDER BY epoch", (room,)
            )
            return [Owner(*row) for row in rows]

    def rooms(self) -> dict[str, Owner]:
        with self._database.read("read") as cursor:
            rows = cursor.execute(
                "SELECT room, epoch, host, from_c, branch FROM owner JOIN"
                " (SELECT room, MAX(epoch) AS epoch FROM owner GROUP BY room) USING (room, epoch) ORDER BY room"
            )
            return {room: Owner(*row) for room, *row in rows}

    def owned(self, host: str) -> list[str]:
        """The rooms that this incarnation ever owned."""
        with self._database.read("read") as cursor:
            return [row[0] for row in cursor.execute("SELECT DISTINCT room FROM owner WHERE host = ?", (host,))]

    def claim(self, room: str, expected: Owner | None, host: str, from_c: int, branch: int) -> Owner:
        """Take the room by compare-and-set.

        Args:
            room: Which.
            expected: The row as the claimer read it; None for a room that nobody ever owned.
            host: The claimer's incarnation id.
            from_c: Callback number at which the new ownership begins.
            branch: The room's branch under it.
        Returns:
            The new row.
        Raises:
            ClaimLost: The row is another by now; it is unchanged.
            StorageError: The row is unchanged, unless the disk failed during the commit itself: read it.
        """
        return self.claim_all([Claim(room, expected, from_c, branch)], host)[0]

    def claim_all(self, claims: Sequence[Claim], host: str) -> list[Owner]:
        """Take all of these rooms or none, in one transaction: one wait for the disk instead of one for each.

        Returns:
            The new rows, in the order of `claims`.
        Raises:
            ClaimLost: A row is another by now; all are unchanged.
            StorageError: As `claim`.
        """
        with self._database.write("claim") as cursor:
            claimed = [_claim(cursor, claim, host) for claim in claims]
            self._fault("store:owner-commit")
        return claimed

    def put(self, aside: Aside) -> None:
        """Put a room aside; a later reason replaces an earlier one."""
        with self._database.write("aside") as cursor:
            cursor.execute(
                "INSERT OR REPLACE INTO aside (room, reason, c, session, j, n, since_us) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (aside.room, aside.reason, aside.c, aside.session, aside.j, aside.n, aside.since_us),
            )

    def remove(self, room: str) -> None:
        """Take a room off the list; one that is not on it is fine."""
        with self._database.write("aside") as cursor:
            cursor.execute("DELETE FROM aside WHERE room = ?", (room,))

    def all(self) -> dict[str, Aside]:
        """The rooms that are put aside."""
        with self._database.read("read") as cursor:
            rows = cursor.execute("SELECT room, reason, c, session, j, n, since_us FROM aside ORDER BY room")
            return {row[0]: Aside(*row) for row in rows}

    def generations(self, game: str) -> list[str]:
        """The generations of the game's code that were recorded, the one that serves first, each once."""
        with self._database.read("read") as cursor:
            rows = cursor.execute("SELECT id FROM generation WHERE game = ? ORDER BY seq DESC", (game,))
            return list(dict.fromkeys(row[0] for row in rows))

    def set_generation(self, game: str, id: str) -> None:
        """Record which generation serves: the next host starts from it, whatever lies on disk then."""
        with self._database.write("generation") as cursor:
            cursor.execute("DELETE FROM generation WHERE game = ? AND id = ?", (game, id))
            cursor.execute("INSERT INTO generation (game, id) VALUES (?, ?)", (game, id))

    def trial(self, game: str) -> str:
        """The generation that was tried last in some rooms, "" for none."""
        with self._database.read("read") as cursor:
            row = cursor.execute("SELECT id FROM trial WHERE game = ?", (game,)).fetchone()
            return str(row[0]) if row else ""

    def set_trial(self, game: str, id: str) -> None:
        """Put a generation on trial. In the list it comes behind all others: it is not the one that serves."""
        with self._database.write("trial") as cursor:
            cursor.execute("INSERT OR REPLACE INTO trial (game, id) VALUES (?, ?)", (game, id))
            (first,) = cursor.execute("SELECT MIN(seq) FROM generation").fetchone()
            known = cursor.execute("SELECT 1 FROM generation WHERE game = ? AND id = ?", (game, id)).fetchone()
            if known is None:
                cursor.execute(
                    "INSERT INTO generation (seq, game, id) VALUES (?, ?, ?)",
                    (first - 1 if first is not None else 0, game, id),
                )

    def forget_generation(self, game: str, id: str) -> None:
        """Take a generation off the list; one that is not on it is fine."""
        with self._database.write("generation") as cursor:
            cursor.execute("DELETE FROM generation WHERE game = ? AND id = ?", (game, id))

    def gateway_epoch(self, name: str) -> int:
        """A number for this start of gateway `name`, higher than any before."""
        return self.count_up(f"gateway:{name}")

    def count_up(self, name: str) -> int:
        """Raise counter `name` by one, durably; its new value, 1 at first."""
        with self._database.write("count") as cursor:
            cursor.execute(
                "INSERT INTO counter (name, value) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1",
                (name,),
            )
            (value,) = cursor.execute("SELECT value FROM counter WHERE name = ?", (name,)).fetchone()
            return int(value)


def _current(cursor: sqlite3.Cursor, room: str) -> Owner | None:
    row = cursor.execute(_CURRENT, (room,)).fetchone()
    return Owner(*row) if row else None


def _claim(cursor: sqlite3.Cursor, claim: Claim, host: str) -> Owner:
    current = _current(cursor, claim.room)
    if current != claim.expected:
        raise ClaimLost(
            f"Room {claim.room!r} belongs to {_described(current)}, not to {_described(claim.expected)} any more. "
            "It is unchanged. Drop this copy of the room.",
            op="store:owner-commit",
        )
    claimed = Owner(current.epoch + 1 if current else 1, host, claim.from_c, claim.branch)
    cursor.execute(
        "INSERT INTO owner (room, epoch, host, from_c, branch) VALUES (?, ?, ?, ?, ?)",
        (claim.room, claimed.epoch, host, claim.from_c, claim.branch),
    )
    if claimed.epoch > ROWS_KEPT:
        cursor.execute("DELETE FROM owner WHERE room = ? AND epoch <= ?", (claim.room, claimed.epoch - ROWS_KEPT))
    return claimed


def _described(owner: Owner | None) -> str:
    return f"{owner.host} (epoch {owner.epoch})" if owner else "nobody"
