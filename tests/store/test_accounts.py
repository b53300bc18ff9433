"""Accounts: one per name, migrated when opened."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from perdure.errors import ConfigError, ContractError, StorageError
from perdure.ports import AccountRow
from perdure.store import accounts as module
from perdure.store.accounts import SqlAccounts
from tests.store.faulty import Child


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "accounts.db"


def test_an_account_is_found_by_its_name_in_any_case(path: Path) -> None:
    """Shown as its owner spells it, with an id that stays."""
    accounts = SqlAccounts(path)
    made = accounts.create("Ada", "hash-1", "player")
    assert made == AccountRow("a1", "Ada", "player", False)
    assert accounts.find("aDA") == accounts.find("Ada") == made
    assert accounts.find("Adam") is None
    assert accounts.password_hash(made.id) == "hash-1"
    accounts.close()
    assert SqlAccounts(path).all() == [made]


def test_a_name_is_taken_in_any_case(path: Path) -> None:
    """`ada` cannot be created beside `Ada`; nothing changes (FM-84)."""
    accounts = SqlAccounts(path)
    made = accounts.create("Ada", "hash-1", "player")
    with pytest.raises(ContractError, match="taken"):
        accounts.create("aDa", "hash-2", "admin")
    assert accounts.all() == [made]
    assert accounts.password_hash(made.id) == "hash-1"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a",
        "x" * 21,
        "1ada",
        "-ada",
        "_ada",
        "a da",
        "ada\n",
        "аda",
        "Ådа",
        "ada\u200b",
        "a.b",
        "a\x1b[1m",
    ],
)
def test_names_that_could_pass_for_anothers_are_refused(path: Path, name: str) -> None:
    """No mixed scripts, no invisible characters, no escapes: see tests/test_names.py (FM-84, FM-83)."""
    accounts = SqlAccounts(path)
    with pytest.raises(ContractError, match="name"):
        accounts.create(name, "h", "player")
    assert accounts.all() == []
    assert accounts.find(name) is None


@pytest.mark.parametrize("name", ["ab", "x" * 20, "A-b_9", "Ünlü", "Вася", "Admin"])
def test_ordinary_names_are_fine(path: Path, name: str) -> None:
    """Two to twenty characters of one script; operators may give titles."""
    assert SqlAccounts(path).create(name, "h", "builder").name == name


def test_a_name_is_one_in_every_form_of_unicode(path: Path) -> None:
    """Who makes an account on one machine logs in from another, which composes its letters differently (FM-84)."""
    accounts = SqlAccounts(path)
    made = accounts.create("Zoe\u0308", "h", "player")
    assert made.name == "Zo\u00eb"
    assert accounts.find("ZO\u00cb") == accounts.find("zoe\u0308") == made
    assert accounts.find("Zoe") is None
    assert accounts.find("k" * 5000) is None


@pytest.mark.parametrize(
    ("taken", "wanted"),
    [("Ian", "lan"), ("Bob", "B0b"), ("Tom", "torn"), ("Hope", "\u041d\u043e\u0440\u0435"), ("I1l", "lll")],
)
def test_a_name_that_looks_like_anothers_is_refused_by_that_name(path: Path, taken: str, wanted: str) -> None:
    """By the skeleton of UTS #39, in one transaction with the making (FM-84)."""
    accounts = SqlAccounts(path)
    made = accounts.create(taken, "h", "player")
    with pytest.raises(ContractError, match=f"looks like '{taken}'"):
        accounts.create(wanted, "h", "player")
    assert accounts.all() == [made]
    assert accounts.alike(wanted) == made
    assert accounts.find(wanted) is None


def test_whether_a_name_can_be_had_is_known_before_a_password_is_typed(path: Path) -> None:
    """The name as it would be kept, or why not."""
    accounts = SqlAccounts(path)
    accounts.create("Ian", "h", "player")
    assert accounts.check_free("Zoe\u0308") == "Zo\u00eb"
    for name, why in (("IAN", "taken"), ("lan", "looks like"), ("x", "2 to 20")):
        with pytest.raises(ContractError, match=why):
            accounts.check_free(name)


def test_settings_are_kept_with_the_account(path: Path) -> None:
    """Screen-reader mode is there at the next login, wherever that comes from."""
    accounts = SqlAccounts(path)
    made = accounts.create("Ada", "h", "player")
    assert made.settings == ""
    accounts.set_settings(made.id, '{"screenreader":true}')
    accounts.close()
    again = SqlAccounts(path).find("ada")
    assert again is not None
    assert again.settings == '{"screenreader":true}'


@pytest.mark.parametrize(("id", "settings"), [("a2", "{}"), ("guest:1", "{}"), ("a1", "x" * 2001)])
def test_settings_of_nobody_and_endless_ones_are_refused(path: Path, id: str, settings: str) -> None:
    """Nothing is changed, and it is said."""
    accounts = SqlAccounts(path)
    made = accounts.create("Ada", "h", "player")
    with pytest.raises(ContractError, match="Nothing was changed"):
        accounts.set_settings(id, settings)
    assert accounts.all() == [made]


def test_roles_passwords_and_refusals_of_login_can_be_changed(path: Path) -> None:
    """Each returns the account as it is now; an unknown name or role changes nothing."""
    accounts = SqlAccounts(path)
    accounts.create("Ada", "h", "player")
    assert accounts.set_role("ada", "admin").role == "admin"
    assert accounts.set_disabled("ada", True).disabled is True
    assert accounts.set_disabled("ada", False).disabled is False
    assert accounts.set_password_hash("ADA", "h2").role == "admin"
    assert accounts.password_hash("a1") == "h2"
    with pytest.raises(ContractError, match="no role 'god'"):
        accounts.set_role("ada", "god")
    with pytest.raises(ContractError, match="no role"):
        accounts.create("bob", "h", "god")
    with pytest.raises(ContractError, match=r"no account named 'bob'\. Nothing was changed\."):
        accounts.set_disabled("bob", True)
    for id in ("a2", "guest-1", "a1 OR 1=1", ""):
        with pytest.raises(ContractError, match="no account with the id"):
            accounts.password_hash(id)


def test_whoever_has_no_keys_for_a_names_accents_is_told_the_name(path: Path) -> None:
    """And who mistypes it. Only that name itself is changed: Zoe and Zoë may be two."""
    accounts = SqlAccounts(path)
    for name in ("José", "Joseph"):
        accounts.create(name, "h", "player")
    for typed, name in (("jose", "José"), ("JOSE", "José"), ("Josephh", "Joseph")):
        with pytest.raises(ContractError, match=f"named '{typed}'; did you mean {name}\\? Nothing was changed"):
            accounts.set_disabled(typed, True)
    assert not any(row.disabled for row in accounts.all())


def test_an_id_is_never_given_twice(path: Path) -> None:
    """Rows of games are keyed by it: a new player must not inherit a deleted one's (FM-26)."""
    accounts = SqlAccounts(path)
    assert accounts.create("first", "h", "player").id == "a1"
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM accounts")
    connection.close()
    assert accounts.create("second", "h", "player").id == "a2"


def test_of_many_who_create_one_name_at_once_one_gets_it(path: Path) -> None:
    """From several threads, as the gateway's workers do."""
    accounts = SqlAccounts(path)

    def create(number: int) -> str:
        try:
            return accounts.create("Ada", f"hash-{number}", "player").id
        except ContractError:
            return "taken"

    with ThreadPoolExecutor(4) as pool:
        outcomes = sorted(pool.map(create, range(8)))
    assert outcomes == ["a1"] + ["taken"] * 7


def test_two_processes_may_open_a_new_file_at_once(path: Path) -> None:
    """Both find the schema whole, whoever made it."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom perdure.store.accounts import SqlAccounts\n"
        "print('ready', flush=True)\nsys.stdin.readline()\n"
        "print(len(SqlAccounts(Path(sys.argv[1])).all()), flush=True)"
    )
    children = [Child(code, path) for _ in range(2)]
    assert [child.line() for child in children] == ["ready", "ready"]
    for child in children:
        child.say("go")
    assert [child.line() for child in children] == ["0", "0"]
    assert [child.end() for child in children] == [0, 0]


# --- migrations --------------------------------------------------------------------------------------------


def _migrated(path: Path) -> None:
    """Make the file by the migrations alone, from the first one on."""
    config = Config()
    config.set_main_option("script_location", str(module._MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == module.HEAD
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    engine.dispose()


def _created(path: Path) -> None:
    """Make the file as a new one."""
    SqlAccounts(path).close()


@pytest.mark.parametrize("make", [_migrated, _created])
def test_the_migrations_end_where_the_code_begins(path: Path, make: Callable[[Path], None]) -> None:
    """`HEAD` is the folder's head, and both a migrated file and a new one have exactly the tables of the code."""
    make(path)
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, module.metadata) == []
        assert context.get_current_revision() == module.HEAD
    engine.dispose()


def test_a_new_file_is_like_a_migrated_one(tmp_path: Path) -> None:
    """Columns in their order, keys, indexes, and numbers that are never given twice."""
    shapes = []
    for make in (_migrated, _created):
        path = tmp_path / make.__name__
        make(path)
        engine = sa.create_engine(f"sqlite:///{path}")
        found = sa.inspect(engine)
        columns = [{**column, "type": str(column["type"])} for column in found.get_columns("accounts")]
        keys = found.get_pk_constraint("accounts"), found.get_unique_constraints("accounts")
        shapes.append((sorted(found.get_table_names()), columns, keys, found.get_indexes("accounts")))
        with engine.connect() as connection:
            made = connection.scalar(sa.text("SELECT sql FROM sqlite_master WHERE name = 'accounts'"))
            assert "AUTOINCREMENT" in str(made)
        engine.dispose()
    assert shapes[0] == shapes[1]


def test_only_a_file_that_is_migrated_needs_alembic(path: Path, old: sa.Engine) -> None:
    """All other starts are spared its import."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom perdure.store.accounts import SqlAccounts\n"
        "SqlAccounts(Path(sys.argv[1])).close()\nprint('alembic' in sys.modules)"
    )
    outputs = [
        subprocess.run([sys.executable, "-c", code, file], capture_output=True, text=True, check=True).stdout
        for file in (path, path, path.with_name("new"))
    ]
    assert outputs == ["True\n", "False\n", "False\n"]


OLD = sa.Table(
    "accounts",
    sa.MetaData(),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(20), nullable=False),
    sa.Column("folded", sa.String(20), nullable=False, unique=True),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("disabled", sa.Boolean, nullable=False),
    sa.Column("password_hash", sa.String(256), nullable=False),
    sqlite_autoincrement=True,
)
"""What an older Perdure knows of the table: it selects and inserts these columns by name."""


@pytest.fixture
def old(path: Path) -> Iterator[sa.Engine]:
    """The file as an older Perdure has it open, with accounts that it made."""
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        OLD.create(connection)
        connection.execute(sa.text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
        connection.execute(sa.text("INSERT INTO alembic_version VALUES ('0001')"))
        for name in ("Ada", "l1", "ll", "Il", "Odd-", "Help"):
            connection.execute(OLD.insert().values(**_old_row(name)))
    yield engine
    engine.dispose()


def _old_row(name: str) -> dict[str, str | bool]:
    return {"name": name, "folded": name.lower(), "role": "player", "disabled": False, "password_hash": f"of {name}"}


def test_accounts_of_an_older_perdure_are_kept(path: Path, old: sa.Engine) -> None:
    """All log in as before, those that look alike and those whose names nobody could have now, too (FM-21)."""
    accounts = SqlAccounts(path)
    for number, name in enumerate(("Ada", "l1", "ll", "Il", "Odd-", "Help"), 1):
        assert accounts.find(name.upper()) == AccountRow(f"a{number}", name, "player", False)
        assert accounts.password_hash(f"a{number}") == f"of {name}"


def test_names_like_those_of_an_older_perdure_are_refused(path: Path, old: sa.Engine) -> None:
    """Of old accounts that look alike the oldest stands for them all (FM-84)."""
    accounts = SqlAccounts(path)
    assert accounts.alike("I1") == accounts.find("l1")
    for name in ("I1", "l\u0406", "\u0406\u0406"):
        with pytest.raises(ContractError, match=r"looks like 'l1'|mixes"):
            accounts.create(name, "h", "player")
    assert accounts.create("Bob", "h", "player").id == "a7"


def test_an_older_perdure_goes_on_with_a_file_that_was_migrated(path: Path, old: sa.Engine) -> None:
    """Its gateway runs on while a newer command line changes accounts: it reads, makes and changes rows (FM-21)."""
    SqlAccounts(path).close()
    with old.begin() as connection:
        connection.execute(OLD.insert().values(**_old_row("Bob")))
        connection.execute(OLD.insert().values(**_old_row("B0b")))
        connection.execute(OLD.update().where(OLD.c.folded == "ada").values(role="admin"))
        found = connection.execute(sa.select(OLD).where(OLD.c.folded == "bob")).one()
    assert found.password_hash == "of Bob"
    accounts = SqlAccounts(path)
    assert [row.name for row in accounts.all()] == ["Ada", "B0b", "Bob", "Help", "Il", "l1", "ll", "Odd-"]
    with old.begin() as connection:
        connection.execute(OLD.insert().values(**_old_row("Tom")))
    with pytest.raises(ContractError, match="looks like 'Tom'"):
        accounts.create("torn", "h", "player")
    assert accounts.alike("B0b") == accounts.find("bob")
    assert accounts.find("ada") == AccountRow("a1", "Ada", "admin", False)


def test_a_newer_file_is_refused_unchanged(path: Path) -> None:
    """Going back to an older Perdure is told plainly."""
    SqlAccounts(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="format 9999"):
        SqlAccounts(path)
    assert path.read_bytes() == before


def test_a_migration_that_fails_leaves_the_file_as_it_was(path: Path) -> None:
    """The upgrade is one transaction: a table that is in its way is kept, and nothing is half-done."""
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE accounts (mine TEXT)")
    connection.close()
    with pytest.raises(StorageError, match="already exists"):
        SqlAccounts(path)
    with sqlite3.connect(path) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    connection.close()
    assert tables == [("accounts",)]


def test_what_is_no_database_is_refused(path: Path) -> None:
    """Garbage under the name is named, and left for the operator (FM-35)."""
    path.write_bytes(b"this is no database at all, for sure" * 50)
    with pytest.raises(StorageError, match="not a database"):
        SqlAccounts(path)
