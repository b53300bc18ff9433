"""Commands that need no server: accounts, snapshots, fault points, version, usage."""

import subprocess
import sys
from pathlib import Path

import pytest

import perdure as perdure_package
from perdure.faults import POINTS
from perdure.snapshot import Body, Header, Meta, seal, sections
from perdure.store.files import StateDir
from perdure.store.passwords import verify_password
from tests.cli.conftest import Done, perdure
from tests.supervisor.conftest import DEADLINE_S


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def account(state: Path, *arguments: str, password: str = "") -> Done:
    return perdure("account", *arguments, "--json", "--state", state, stdin=password)


def test_accounts_are_made_listed_and_changed_without_a_server(state: Path) -> None:
    """The state folder is made on the way, 0700."""
    made = account(state, "create", "Ada", "--role", "admin", "--password-stdin", password="secret\n")
    assert made.code == 0, made.err
    assert made.json["name"] == "Ada"
    assert made.json["role"] == "admin"
    assert state.stat().st_mode & 0o777 == 0o700
    assert account(state, "role", "ada", "builder").json["role"] == "builder"
    assert account(state, "disable", "Ada").json["disabled"] is True
    assert account(state, "disable", "Ada", "--enable").json["disabled"] is False
    assert account(state, "passwd", "Ada", "--password-stdin", password="other one\n").code == 0
    assert [row["name"] for row in account(state, "list").json] == ["Ada"]
    assert "Ada" in perdure("account", "list", "--state", state).out


def test_an_account_may_have_a_title_or_another_script_but_nobody_elses_face(state: Path) -> None:
    """An operator gives titles; a look-alike is refused before a password is asked for (FM-84)."""
    for name in ("Admin", "Вася", "Ian"):
        assert account(state, "create", name, "--password-stdin", password="secret\n").json["name"] == name
    refused = account(state, "create", "lan")
    assert refused.code == 4
    assert "'lan' looks like 'Ian'" in refused.err
    assert account(state, "role", "вася", "builder").json["role"] == "builder"
    assert sorted(row["name"] for row in account(state, "list").json) == ["Admin", "Ian", "Вася"]


def test_a_password_is_stored_as_a_hash_only(state: Path) -> None:
    """What was piped in is the password to its last space, and in no file (FM-96)."""
    from perdure.store.accounts import SqlAccounts

    account(state, "create", "Ada", "--password-stdin", password="correct horse \n")
    accounts = SqlAccounts(state / "accounts.db")
    row = accounts.find("Ada")
    assert row is not None
    assert verify_password(accounts.password_hash(row.id), "correct horse ")
    accounts.close()
    assert not [path for path in state.rglob("*") if path.is_file() and b"correct horse" in path.read_bytes()]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["create", "Ada", "--password-stdin"], 4, "A password has"),
        (["create", "x y", "--password-stdin"], 4, "A name has 2 to 20 characters"),
        (["create", "Ada"], 2, "--password-stdin"),
        (["create", "Ada", "--role", "god"], 2, "'god' is not one of"),
        (["role", "Nobody", "admin"], 4, "no account named 'Nobody'"),
        (["disable"], 2, "Missing argument"),
    ],
)
def test_what_cannot_be_done_with_an_account_is_said(state: Path, arguments: list[str], code: int, says: str) -> None:
    """A refusal is exit 4, a wrong command line exit 2."""
    StateDir.open(state).close()
    done = account(state, *arguments)
    assert done.code == code
    assert says in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "arguments", [["list"], ["role", "Ada", "admin"], ["disable", "Ada"], ["passwd", "Ada", "--password-stdin"]]
)
def test_only_the_first_account_makes_a_state_folder(state: Path, arguments: list[str]) -> None:
    """A misspelt --state reads what is wrong, and leaves nothing behind; who makes an account there is told of it."""
    done = account(state, *arguments, password="secret\n")
    assert done.code == 6
    assert f"no server has run in {state} yet" in done.err
    assert not state.exists()
    made = account(state, "create", "Ada", "--password-stdin", password="secret\n")
    assert f"Made the state folder {state}" in made.err
    assert account(state, "create", "Bob", "--password-stdin", password="secret\n").err == ""


def test_logs_that_are_not_there_are_answered_by_those_that_are(state: Path) -> None:
    """Without a server too; a command that reads logs makes none."""
    StateDir.open(state).close()
    for name in ("gateway.log", "host-1.jsonl", "build.log"):
        (state / "logs" / name).touch()
    done = perdure("logs", "hots-1", "--state", state)
    assert done.code == 6
    assert done.err.endswith("There are logs of: build, gateway, host-1.\n")


def snapshot_file(state: Path) -> Path:
    opened = StateDir.open(state)
    header = Header(game="mud", room="world\x1b[2J", epoch=3, c=41, roster=["a1"], created_us=1_700_000_000_000_000)
    meta = Meta(
        now_us=1,
        seed=bytes(16),
        started=True,
        timers={},
        requests={},
        effects={},
        mail_seen={},
        seats={},
        schemas={},
        last_digest=b"",
    )
    body = Body(meta, {"things": {}})
    file = state / "blobs" / "snapshot"
    file.write_bytes(seal(header, sections(body), opened.keys))
    opened.close()
    return file


def test_a_good_snapshot_is_shown_and_verified(state: Path) -> None:
    """Its key is that of the state folder around it; escapes in it drive no terminal."""
    file = snapshot_file(state)
    shown = perdure("snapshot", "show", file)
    assert shown.code == 0, shown.err
    assert "callback" in shown.out or "41" in shown.out
    assert "\x1b" not in shown.out
    assert perdure("snapshot", "show", file, "--json").json["c"] == 41
    assert perdure("snapshot", "verify", file, "--json").json == {"ok": True, "error": None}
    assert "Good: room world of game mud at callback 41" in perdure("snapshot", "verify", file).out


def test_a_damaged_snapshot_is_refused_with_exit_4(state: Path) -> None:
    """For programs {ok: false, error}, for people a sentence."""
    file = snapshot_file(state)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    done = perdure("snapshot", "verify", file, "--json")
    assert done.code == 4
    assert done.json["ok"] is False
    assert done.json["error"]
    done = perdure("snapshot", "verify", file)
    assert (done.code, done.out) == (4, "")
    assert done.err.startswith("perdure: ")


def test_a_snapshot_of_another_server_is_refused(state: Path, tmp_path: Path) -> None:
    """Another key is another server's."""
    file = snapshot_file(state)
    StateDir.open(tmp_path / "other").close()
    assert perdure("snapshot", "verify", file, "--state", tmp_path / "other").code == 4


def test_faults_names_the_points_of_the_installed_program() -> None:
    """The list is the registry itself."""
    assert perdure("faults", "--json").json == list(POINTS)
    assert "host:after-append" in perdure("faults").out


def test_faults_says_how_a_successor_is_meant() -> None:
    """An item without a name is for the processes of the start; a host that comes later would never get it."""
    help = " ".join(perdure("faults", "--help").out.split())
    assert "a host that is started later, like the successor of a copyover, has to be named" in help
    assert "host-2/copyover:verify=kill" in help


def test_version_has_a_build(tmp_path: Path) -> None:
    """The source's hash is the same from everywhere; without a server there is no number."""
    first = perdure("version", "--json", cwd=tmp_path).json
    assert first["version"] == "0.1.0"
    assert first["build"]["number"] == 0
    assert len(first["build"]["source"]) == 12
    assert perdure("version", cwd=tmp_path).out.startswith("Perdure 0.1.0, build 0 (")
    assert perdure("--version", cwd=tmp_path) == perdure("version", cwd=tmp_path)


def test_the_command_is_a_module_too(tmp_path: Path) -> None:
    """For who has the environment's Python at hand, and not its folder of commands."""
    run = [sys.executable, "-m", "perdure", "version"]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE_S, check=True)
    assert done.stdout == perdure("version", cwd=tmp_path).out


def test_a_wrong_command_line_is_exit_2() -> None:
    """click's own words, and where to find help."""
    done = perdure("statsu")
    assert done.code == 2
    assert "No such command 'statsu'" in done.err


def test_who_names_the_project_to_a_command_for_its_server_reads_where_to_stand(tmp_path: Path) -> None:
    """`perdure run FOLDER` takes one; with another word behind the command there is nothing to say."""
    (tmp_path / "tavern").mkdir()
    (tmp_path / "tavern" / "perdure.toml").touch()
    for words in ("status tavern", "room show main tavern"):
        done = perdure(*words.split(), cwd=tmp_path)
        assert done.code == 2
        assert done.err.endswith("go into tavern, or --state tavern/.perdure\n")
    for words in ("status elsewhere", "faults tavern"):
        assert perdure(*words.split(), cwd=tmp_path).err.splitlines()[-1].startswith("Error: ")


@pytest.mark.parametrize("group", ["", "account", "room", "host", "snapshot"])
def test_a_list_of_commands_is_whole_in_a_usual_window(group: str) -> None:
    """What click cannot fit into 80 columns it cuts in the middle of a sentence."""
    listed = perdure(*group.split(), "--help", COLUMNS="80").out.partition("Commands:")[2]
    assert listed
    assert "..." not in listed


def test_a_bug_is_one_sentence_for_people(tmp_path: Path) -> None:
    """No traceback, unless somebody asks for it."""
    (tmp_path / "sitecustomize.py").write_text("import perdure.faults\nperdure.faults.POINTS = None\n")
    path = f"{tmp_path}:{Path(perdure_package.__file__).parents[1]}"
    done = perdure("faults", "--json", PYTHONPATH=path)
    assert done.code == 1
    assert done.err.startswith("perdure: internal error: TypeError")
    assert len(done.err.splitlines()) == 1
    assert "Traceback" in perdure("faults", "--json", PERDURE_TRACEBACK="1", PYTHONPATH=path).err


def test_help_and_status_load_no_event_loop() -> None:
    """They answer within 150 ms because of what they do not import (G16)."""
    import subprocess

    code = (
        "import sys; sys.argv = ['perdure', '--help']\nfrom perdure.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'asyncio', 'rich', 'sqlalchemy', 'uvloop', 'structlog', 'sqlite3'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "perdure run" in done.stdout
