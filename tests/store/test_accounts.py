"""Accounts: one per name, migrated when opened."""

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
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
        "ad\u0130",
        "ada\u200b",
        "a.b",
        "a\x1b[1m",
    ],
)
def test_names_that_could_pass_for_anothers_are_refused(path: Path, name: str) -> None:
    """ASCII letters, digits, - and _ only: no mixed scripts, no invisible characters, no escapes (FM-84, FM-83)."""
    accounts = SqlAccounts(path)
    with pytest.raises(ContractError, match="2 to 20 characters"):
        accounts.create(name, "h", "player")
    assert accounts.all() == []
    assert accounts.find(name) is None


@pytest.mark.parametrize("name", ["ab", "x" * 20, "A-b_9"])
def test_ordinary_names_are_fine(path: Path, name: str) -> None:
    """Two to twenty characters."""
    assert SqlAccounts(path).create(name, "h", "builder").name == name


def test_a_name_that_only_folds_to_ascii_finds_nobody(path: Path) -> None:
    """The Kelvin sign lowers to k; it is not a k (FM-84)."""
    accounts = SqlAccounts(path)
    accounts.create("kim", "h", "player")
    assert accounts.find("\u212aim") is None
    assert accounts.find("k" * 5000) is None


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
    with pytest.raises(ContractError, match="no account named 'bob'"):
        accounts.set_disabled("bob", True)
    for id in ("a2", "guest-1", "a1 OR 1=1", ""):
        with pytest.raises(ContractError, match="no account with the id"):
            accounts.password_hash(id)


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


def test_the_migrations_end_where_the_code_begins(path: Path) -> None:
    """`HEAD` is the folder's head, and a migrated file has exactly the tables of the code."""
    config = Config()
    config.set_main_option("script_location", str(module._MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == module.HEAD
    SqlAccounts(path).close()
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), module.metadata) == []
    engine.dispose()


def test_a_file_that_is_up_to_date_is_opened_without_alembic(path: Path) -> None:
    """Most starts are spared its import."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom perdure.store.accounts import SqlAccounts\n"
        "SqlAccounts(Path(sys.argv[1])).close()\nprint('alembic' in sys.modules)"
    )
    outputs = [
        subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert outputs == ["True\n", "False\n"]


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
