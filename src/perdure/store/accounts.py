"""Accounts in a database: SQLAlchemy Core, so that SQLite now and Postgres later are one code.

The schema is brought up to date when the file is opened, by the migrations beside this module. alembic is
loaded for that only; a file that is up to date costs one query.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from perdure.errors import ConfigError, ContractError, StorageError
from perdure.ports import AccountRow
from perdure.store.database import BUSY_TIMEOUT_S

HEAD = "0001"
"""The newest migration; a test compares it with the folder."""

ROLES = ("player", "builder", "admin")

_MIGRATIONS = Path(__file__).parent / "migrations"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{1,19}")

metadata = sa.MetaData()
accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(20), nullable=False),
    sa.Column("folded", sa.String(20), nullable=False, unique=True),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("disabled", sa.Boolean, nullable=False),
    sa.Column("password_hash", sa.String(256), nullable=False),
    sqlite_autoincrement=True,  # a number is never given twice
)
_versions = sa.table("alembic_version", sa.column("version_num", sa.String))


def check_name(name: str) -> str:
    """The name, if an account may have it.

    Letters, digits, - and _, beginning with a letter, 2 to 20 of them, all ASCII: within one small script no two
    names look alike but by choice of font, while а (Cyrillic) and a would be two players with one face (FM-84).

    Raises:
        ContractError: It may not.
    """
    if not _NAME.fullmatch(name):
        raise ContractError(
            "A name has 2 to 20 characters: letters from a to z, digits, - and _, with a letter first. Other "
            "scripts are refused for now, because names in them can look like somebody else's. Choose another."
        )
    return name


class SqlAccounts:
    """`ports.Accounts` in an SQLite file. Usable from any thread; every call blocks.

    Args:
        path: Created if missing; brought up to date.
    Raises:
        ConfigError: A newer Perdure wrote the file; it is unchanged.
        StorageError: It cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(path)), connect_args={"timeout": BUSY_TIMEOUT_S}
        )
        sa.event.listen(self._engine, "connect", _on_connect)
        sa.event.listen(self._engine, "begin", _on_begin)
        try:
            with self._transaction("open") as connection:
                self._upgrade(connection)
        except BaseException:
            self._engine.dispose()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()

    def find(self, name: str) -> AccountRow | None:
        with self._transaction("read") as connection:
            return _row(connection, _fold(name))

    def password_hash(self, id: str) -> str:
        """The hash of account `id`. ContractError when there is none."""
        number = int(id[1:]) if re.fullmatch(r"a[0-9]{1,18}", id) else -1
        with self._transaction("read") as connection:
            found = connection.scalar(sa.select(accounts.c.password_hash).where(accounts.c.number == number))
        if found is None:
            raise ContractError(f"There is no account with the id {id!r}.")
        return str(found)

    def create(self, name: str, password_hash: str, role: str) -> AccountRow:
        """A new account.

        Raises:
            ContractError: The name is taken or not allowed, or there is no such role. Nothing was created.
        """
        folded = _fold(check_name(name))
        new = {"name": name, "folded": folded, "role": _checked_role(role), "disabled": False}
        with self._transaction("create") as connection:
            if _row(connection, folded):
                raise ContractError(f"The name {name!r} is taken. Nothing was created. Choose another.")
            connection.execute(accounts.insert().values(password_hash=password_hash, **new))
            row = _row(connection, folded)
        assert row is not None
        return row

    def set_role(self, name: str, role: str) -> AccountRow:
        return self._update(name, role=_checked_role(role))

    def set_disabled(self, name: str, disabled: bool) -> AccountRow:
        return self._update(name, disabled=disabled)

    def set_password_hash(self, name: str, password_hash: str) -> AccountRow:
        return self._update(name, password_hash=password_hash)

    def all(self) -> list[AccountRow]:
        """Every account, by name."""
        with self._transaction("read") as connection:
            return [_account(*row) for row in connection.execute(_SELECT.order_by(accounts.c.folded))]

    def _update(self, name: str, **values: str | bool) -> AccountRow:
        folded = _fold(name)
        with self._transaction("update") as connection:
            connection.execute(accounts.update().where(accounts.c.folded == folded).values(**values))
            row = _row(connection, folded)
        if row is None:
            raise ContractError(f"There is no account named {name!r}. Nothing was changed.")
        return row

    @contextmanager
    def _transaction(self, op: str) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.SQLAlchemyError as error:
            reason = getattr(error, "orig", None) or error
            busy = "locked" in str(reason) or "full" in str(reason)
            raise StorageError(
                f"{self._path}: {op} failed: {reason}. Nothing of it was stored. "
                + ("Try again." if busy else "Look at the disk, or bring the file back from a backup."),
                op=f"store:accounts-{op}",
                retry=busy,
            ) from error

    def _upgrade(self, connection: sa.Connection) -> None:
        """Bring the schema to `HEAD`, in the transaction that is open: all of it or nothing."""
        found = None
        if sa.inspect(connection).has_table(_versions.name):
            found = connection.scalar(sa.select(_versions.c.version_num))
        if found == HEAD:
            return
        # Loaded only where there is something to do: most starts are spared its 100 ms.
        from alembic import command
        from alembic.config import Config
        from alembic.script import ScriptDirectory

        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if found is not None and found not in known:
            raise ConfigError(
                f"{self._path} has format {found}; this Perdure reads formats up to {HEAD}. It is unchanged. "
                "Start the newer Perdure that wrote it."
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


_SELECT = sa.select(accounts.c.number, accounts.c.name, accounts.c.role, accounts.c.disabled)


def _row(connection: sa.Connection, folded: str) -> AccountRow | None:
    found = connection.execute(_SELECT.where(accounts.c.folded == folded)).first()
    return _account(*found) if found else None


def _account(number: int, name: str, role: str, disabled: bool) -> AccountRow:
    return AccountRow(f"a{number}", name, role, disabled)


def _fold(name: str) -> str:
    """Names are one if they differ in case only. Stored names are ASCII, so nothing else folds into them."""
    return name.lower() if name.isascii() else name


def _checked_role(role: str) -> str:
    if role not in ROLES:
        raise ContractError(f"There is no role {role!r}; there are {', '.join(ROLES)}. Nothing was changed.")
    return role


def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
    """Transactions begin where we say, not where the driver guesses; each commit is synced (see `database`)."""
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=TRUNCATE")
    connection.execute("PRAGMA synchronous=FULL")


def _on_begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
