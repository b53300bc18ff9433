"""Accounts in a database: SQLAlchemy Core, so that SQLite now and Postgres later are one code.

A new file gets today's schema at once; one of an older Perdure is brought up to date when it is opened, by the
migrations beside this module. alembic is loaded for that only; a file that is up to date costs one query.

Two accounts never have one name (`folded`), and no account gets a name that looks like another's (`skeleton`). A
row without a skeleton is from before there were any, or from an older Perdure that still runs; it gets one as soon as
another name is to be compared with it. Rows that look alike already stay as they are: the older one has the
skeleton, the other ones have it with their number behind it, which no name looks like.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from perdure import names
from perdure.errors import ConfigError, ContractError, StorageError
from perdure.ports import ROLES, AccountRow
from perdure.spelling import meant, unaccented
from perdure.store.database import BUSY_TIMEOUT_S

HEAD = "0002"
"""The newest migration; a test compares it with the folder."""

_MIGRATIONS = Path(__file__).parent / "migrations"
_SETTINGS_CHARS_MAX = 2000
"""Far more than all settings take: what a player can make a server keep is bounded."""

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
    sa.Column("skeleton", sa.Text, nullable=True),
    sa.Column("settings", sa.Text, nullable=False, server_default=""),
    sa.Index("accounts_skeleton", "skeleton", unique=True),
    sqlite_autoincrement=True,  # a number is never given twice
)
_versions = sa.Table("alembic_version", sa.MetaData(), sa.Column("version_num", sa.String(32), primary_key=True))
"""What alembic keeps: the last migration of the file."""


def check_name(name: str) -> str:
    """The name as it is kept, if an operator may give it to an account.

    Raises:
        ContractError: Nobody may have it (FM-84).
    """
    name = names.canonical(name)
    if problem := names.problem(name, by_operator=True):
        raise ContractError(problem)
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
            return _row(connection, names.folded(name))

    def alike(self, name: str) -> AccountRow | None:
        with self._transaction("read") as connection:
            return _alike(connection, names.skeleton(name))

    def password_hash(self, id: str) -> str:
        """The hash of account `id`. ContractError when there is none."""
        number = _number(id)
        with self._transaction("read") as connection:
            found = connection.scalar(sa.select(accounts.c.password_hash).where(accounts.c.number == number))
        if found is None:
            raise ContractError(f"There is no account with the id {id!r}.")
        return str(found)

    def create(self, name: str, password_hash: str, role: str) -> AccountRow:
        """A new account.

        Raises:
            ContractError: The name is taken, not allowed or looks like another's, or there is no such role. Nothing
                was created.
        """
        name = check_name(name)
        folded, skeleton = names.folded(name), names.skeleton(name)
        new = {"name": name, "folded": folded, "role": _checked_role(role), "disabled": False, "skeleton": skeleton}
        with self._transaction("create") as connection:
            _check_free(connection, name)
            connection.execute(accounts.insert().values(password_hash=password_hash, **new))
            row = _row(connection, folded)
        assert row is not None
        return row

    def check_free(self, name: str) -> str:
        """The name as it would be kept. ContractError when `create` would refuse it."""
        name = check_name(name)
        with self._transaction("read") as connection:
            _check_free(connection, name)
        return name

    def set_role(self, name: str, role: str) -> AccountRow:
        return self._update(name, role=_checked_role(role))

    def set_disabled(self, name: str, disabled: bool) -> AccountRow:
        return self._update(name, disabled=disabled)

    def set_password_hash(self, name: str, password_hash: str) -> AccountRow:
        return self._update(name, password_hash=password_hash)

    def set_settings(self, id: str, settings: str) -> None:
        """Keep what the player of account `id` chose.

        Raises:
            ContractError: There is no such account, or it is too much. Nothing was changed.
        """
        if len(settings) > _SETTINGS_CHARS_MAX:
            raise ContractError(f"Settings take at most {_SETTINGS_CHARS_MAX} characters. Nothing was changed.")
        chosen = accounts.update().where(accounts.c.number == _number(id)).values(settings=settings)
        with self._transaction("update") as connection:
            if not connection.execute(chosen).rowcount:
                raise ContractError(f"There is no account with the id {id!r}. Nothing was changed.")

    def all(self) -> list[AccountRow]:
        """Every account, by name."""
        with self._transaction("read") as connection:
            return [_account(*row) for row in connection.execute(_SELECT.order_by(accounts.c.folded))]

    def _update(self, name: str, **values: str | bool) -> AccountRow:
        folded = names.folded(name)
        with self._transaction("update") as connection:
            connection.execute(accounts.update().where(accounts.c.folded == folded).values(**values))
            row = _row(connection, folded)
        if row is None:
            raise ContractError(f"There is no account named {name!r}{self._meant(name)} Nothing was changed.")
        return row

    def _meant(self, name: str) -> str:
        """The end of that sentence: whom an operator meant who mistyped a name, or has no keys for its accents."""
        named = {unaccented(row.name): row.name for row in self.all()}
        near = meant(unaccented(name), named)
        return f"; did you mean {named[near]}?" if near else "."

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
        if not sa.inspect(connection).has_table(_versions.name):
            _create(connection)
            return
        found = connection.scalar(sa.select(_versions.c.version_num))
        if found == HEAD:
            return
        # Loaded only where there is something to do: most starts are spared its 200 ms.
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
        _complete(connection)


_SELECT = sa.select(accounts.c.number, accounts.c.name, accounts.c.role, accounts.c.disabled, accounts.c.settings)


def _create(connection: sa.Connection) -> None:
    """Make what a new file has: today's tables, and the version that the migrations end with."""
    metadata.create_all(connection, checkfirst=False)
    _versions.create(connection)
    connection.execute(_versions.insert().values(version_num=HEAD))


def _row(connection: sa.Connection, folded: str) -> AccountRow | None:
    found = connection.execute(_SELECT.where(accounts.c.folded == folded)).first()
    return _account(*found) if found else None


def _check_free(connection: sa.Connection, name: str) -> None:
    if _row(connection, names.folded(name)):
        raise ContractError(f"The name {name!r} is taken. Nothing was created. Choose another.")
    if other := _alike(connection, names.skeleton(name)):
        raise ContractError(
            f"The name {name!r} looks like {other.name!r}, who is somebody else. Nothing was created. Choose another."
        )


def _alike(connection: sa.Connection, skeleton: str) -> AccountRow | None:
    _complete(connection)
    found = connection.execute(_SELECT.where(accounts.c.skeleton == skeleton)).first()
    return _account(*found) if found else None


def _complete(connection: sa.Connection) -> None:
    """Give skeletons to the rows without one, oldest first."""
    lacking = sa.select(accounts.c.number, accounts.c.name).where(accounts.c.skeleton.is_(None))
    for number, name in connection.execute(lacking.order_by(accounts.c.number)).all():
        skeleton = names.skeleton(name)
        if connection.scalar(sa.select(accounts.c.number).where(accounts.c.skeleton == skeleton)) is not None:
            skeleton = f"{skeleton} {number}"  # no name has a space
        connection.execute(accounts.update().where(accounts.c.number == number).values(skeleton=skeleton))


def _account(number: int, name: str, role: str, disabled: bool, settings: str) -> AccountRow:
    return AccountRow(f"a{number}", name, role, disabled, settings)


def _number(id: str) -> int:
    """Of the row with this id; -1, which none has, for what is no account's id."""
    return int(id[1:]) if re.fullmatch(r"a[0-9]{1,18}", id) else -1


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
