"""Commands that need no server: accounts, snapshots, logs, fault points, version."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from perdure.cli.client import Client
from perdure.cli.options import json_option, server_options, state_folder
from perdure.cli.show import print_fields, print_json, print_table, size
from perdure.control_lines import EXIT_REFUSED
from perdure.errors import ConfigError, SnapshotRefused, Unavailable
from perdure.movement.wording import counted
from perdure.ports import ROLES
from perdure.supervisor.plain import plain

if TYPE_CHECKING:
    from perdure.ports import AccountRow
    from perdure.snapshot import Opened
    from perdure.store.accounts import SqlAccounts

BODY_BYTES_MAX = 4 * 1024**3
"""The largest body that `snapshot` unpacks: more than any room may have, less than any disk."""
POLL_S = 0.2
BUILD = "build"
"""Name of the log that has what build commands say."""


# --- accounts ---


@click.group()
def account() -> None:
    """Players' accounts, whether the server runs or not."""


password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input instead of asking twice."
)


def _accounts(state: Path | None, *, make: bool) -> SqlAccounts:
    """The accounts of the server that is meant.

    Args:
        make: Before the server's first start the state folder is made; else it is an error that there is none.
    """
    from perdure.store.accounts import SqlAccounts
    from perdure.store.files import StateDir

    folder = state_folder(state)
    try:
        opened = StateDir.attach(folder)
    except Unavailable:
        if not make:
            raise Unavailable(
                f"There are no accounts: no server has run in {plain(folder)} yet. Nothing was changed. Make one: "
                "perdure account create NAME. If they are elsewhere, name the folder with --state or PERDURE_STATE.",
                op="control:accounts",
            ) from None
        opened = StateDir.open(folder)
        opened.close()
        click.echo(f"Made the state folder {plain(opened.path)}: no server has run there yet.", err=True)
    return SqlAccounts(opened.accounts_file)


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask for a password. Pipe it in: --password-stdin")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


def _print_account(row: AccountRow, as_json: bool, done: str) -> None:
    if as_json:
        print_json(row)
    else:
        click.echo(f"{plain(row.name)} {done}")


@account.command()
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default="player", show_default=True)
@password_option
@server_options
def create(name: str, role: str, password_stdin: bool, state: Path | None, as_json: bool) -> None:
    """Make an account."""
    from perdure.store.passwords import hash_password

    accounts = _accounts(state, make=True)
    name = accounts.check_free(name)  # before anybody types a password for it
    row = accounts.create(name, hash_password(_password(password_stdin)), role)
    _print_account(row, as_json, f"may log in, as {row.role}.")


@account.command(name="list")
@server_options
def list_accounts(state: Path | None, as_json: bool) -> None:
    """All accounts."""
    found = _accounts(state, make=False).all()
    if as_json:
        print_json(found)
        return
    rows = ([row.name, row.role, "disabled" if row.disabled else "", row.id] for row in found)
    print_table(["NAME", "ROLE", "", "ID"], rows, empty="No accounts. Make one: perdure account create NAME")


@account.command()
@click.argument("name")
@click.argument("role", type=click.Choice(ROLES))
@server_options
def role(name: str, role: str, state: Path | None, as_json: bool) -> None:
    """Give an account another role, from their next visit on."""
    row = _accounts(state, make=False).set_role(name, role)
    _print_account(row, as_json, f"is {row.role} from the next visit on.")


@account.command()
@click.argument("name")
@click.option("--enable", is_flag=True, help="Let the account log in again.")
@server_options
def disable(name: str, enable: bool, state: Path | None, as_json: bool) -> None:
    """Refuse an account's logins, and end what it plays."""
    row = _accounts(state, make=False).set_disabled(name, not enable)
    if enable:
        _print_account(row, as_json, "may log in again.")
        return
    if not as_json:
        click.echo(f"{plain(row.name)} may not log in any more.")  # that holds, whatever becomes of the rest
    ended = _end_sessions(state_folder(state), row.id)
    if as_json:
        print_json({**msgspec.structs.asdict(row), "ended": ended})
    else:
        click.echo(f"{counted(ended, 'session')} of it ended." if ended else "Nobody played it.")


def _end_sessions(folder: Path, account: str) -> int:
    """End what an account plays; how many sessions that were, 0 without a server."""
    try:
        client = Client(folder)
    except Unavailable:
        return 0
    with client:
        return int(client.request("sessions.end", {"account": account})["ended"])


@account.command()
@click.argument("name")
@password_option
@server_options
def passwd(name: str, password_stdin: bool, state: Path | None, as_json: bool) -> None:
    """Give an account another password."""
    from perdure.store.passwords import hash_password

    accounts = _accounts(state, make=False)
    row = accounts.set_password_hash(name, hash_password(_password(password_stdin)))
    _print_account(row, as_json, "has a new password.")


# --- snapshots ---


@click.group()
def snapshot() -> None:
    """Look into stored snapshots with the key of their server."""


snapshot_argument = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
key_option = click.option(
    "--key", type=click.Path(path_type=Path, dir_okay=False), help="The key file, where it is not that of --state."
)


def _opened(file: Path, key: Path | None, state: Path | None) -> Opened:
    from perdure.snapshot import KeyRing, open_sealed

    try:
        data = file.read_bytes()
    except OSError as error:
        raise click.UsageError(f"{file} cannot be read: {error.strerror}.") from None
    return open_sealed(data, KeyRing.from_json(_key_file(file, key, state)), body_bytes_max=BODY_BYTES_MAX)


def _key_file(file: Path, key: Path | None, state: Path | None) -> bytes:
    """The named key, the state folder's, or that of the state folder around the file."""
    around = (folder / "key.json" for folder in file.absolute().parents)
    found = key or (state / "key.json" if state else next((path for path in around if path.is_file()), None))
    path = found or state_folder(None) / "key.json"
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"The key {path} cannot be read: {error.strerror}. Name it with --key or --state.") from None


@snapshot.command(name="show")
@snapshot_argument
@key_option
@server_options
def show_snapshot(file: Path, key: Path | None, state: Path | None, as_json: bool) -> None:
    """What a snapshot says about itself, once its seal is verified."""
    import msgspec

    opened = _opened(file, key, state)
    found = {**msgspec.structs.asdict(opened.header), "key": opened.key_id}
    if as_json:
        print_json(found)
        return
    found["created"] = datetime.fromtimestamp(found.pop("created_us") / 1e6, UTC).isoformat(timespec="seconds")
    found["body"] = size(found.pop("body_bytes"))
    found["roster"] = ", ".join(found["roster"])
    found["versions"] = ", ".join(f"{module} {version}" for module, version in found["versions"].items())
    print_fields(found.items())


@snapshot.command()
@snapshot_argument
@key_option
@server_options
def verify(file: Path, key: Path | None, state: Path | None, as_json: bool) -> None:
    """Whether a snapshot is whole and ours; exit code 4 when it is not."""
    from perdure.snapshot import read_body

    try:
        opened = _opened(file, key, state)
        read_body(opened.body)
    except SnapshotRefused as error:
        if not as_json:
            raise
        print_json({"ok": False, "error": str(error), "reason": error.reason})
        raise click.exceptions.Exit(EXIT_REFUSED) from None
    if as_json:
        print_json({"ok": True, "error": None})
    else:
        header = opened.header
        click.echo(f"Good: room {plain(header.room)} of game {plain(header.game)} at callback {header.c}.")


# --- logs ---


@click.command()
@click.argument("process", default="")
@click.option("-f", "--follow", is_flag=True, help="Go on as they are written.")
@click.option(
    "-n", "--lines", type=click.IntRange(0), default=50, show_default=True, help="Of each file, the last so many."
)
@server_options
def logs(process: str, follow: bool, lines: int, state: Path | None, as_json: bool) -> None:
    """What the processes log, and what games print.

    PROCESS: gateway, host-1, host-2, … or build, for what build commands of copyovers said.
    """
    folder = state_folder(state) / "logs"
    tails = {path: _Tail(path) for path in _log_files(folder, process)}
    if not tails and not follow:
        there = ", ".join(sorted({path.stem for path in (*_log_files(folder, ""), *_log_files(folder, BUILD))}))
        raise Unavailable(
            f"There are no logs of {process or 'a server'} in {folder}."
            + (f" There are logs of: {plain(there)}." if there else ""),
            op="control:logs",
        )
    for tail in tails.values():
        for line in tail.last(lines):
            _print_log(tail.path, line, as_json)
    while follow:
        for path in _log_files(folder, process):
            tail = tails.setdefault(path, _Tail(path))
            for line in tail.more():
                _print_log(path, line, as_json)
        sys.stdout.flush()
        time.sleep(POLL_S)


def _log_files(folder: Path, process: str) -> list[Path]:
    """The files of a process; without one of all, but for the output of builds, which would bury the others."""
    files = [path for path in sorted(folder.glob("*.*")) if path.suffix in (".log", ".jsonl")]
    return [path for path in files if (path.stem == process if process else path.stem != BUILD)]


class _Tail:
    """The end of a file that grows, and is replaced by a new one now and then."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._inode, self._at, self._rest = 0, 0, b""

    def last(self, count: int) -> list[bytes]:
        lines = list(self.more())
        return lines[-count:] if count else []

    def more(self) -> Iterator[bytes]:
        try:
            with self.path.open("rb") as file:
                inode = file.seek(0, 2) and self.path.stat().st_ino
                if inode != self._inode or file.tell() < self._at:
                    self._inode, self._at, self._rest = inode, 0, b""
                file.seek(self._at)
                *lines, self._rest = (self._rest + file.read()).split(b"\n")
                self._at = file.tell()
        except FileNotFoundError:
            return
        yield from lines


def _print_log(path: Path, line: bytes, as_json: bool) -> None:
    import msgspec

    entry: dict[str, Any] = {"event": line.decode(errors="replace")}
    if path.suffix == ".jsonl":
        with suppress(msgspec.DecodeError):  # a line that a full disk cut is shown as it is
            entry = msgspec.json.decode(line, type=dict[str, Any])
    if as_json:
        print_json({"process": path.stem, **entry})
        return
    said = " ".join(plain(entry.pop(name)) for name in ("at", "level", "event") if name in entry)
    traceback = str(entry.pop("traceback", ""))
    rest = " ".join(f"{plain(name)}={plain(value)}" for name, value in entry.items())
    click.echo(f"{path.stem:<8} {said} {rest}".rstrip())
    for traced in traceback.splitlines():
        click.echo(f"{path.stem:<8}   {plain(traced)}")


# --- the program itself ---


@click.command()
@json_option
def faults(as_json: bool) -> None:
    """The fault points of this program, for tests.

    PERDURE_FAULT='[PROCESS/]POINT=exit|hang|raise|kill[@N]' provokes a failure there, the Nth time. Without PROCESS it
    is for the processes that the server starts with; a host that is started later, like the successor of a copyover,
    has to be named: 'host-2/copyover:verify=kill'.
    """
    from perdure.faults import POINTS

    if as_json:
        print_json(list(POINTS))
    else:
        print_table(["POINT", "WHERE"], POINTS.items(), empty="none")


@click.command()
@server_options
def version(state: Path | None, as_json: bool) -> None:
    """The version and build of this program, and of a running server."""
    import perdure
    from perdure.build import program_source
    from perdure.supervisor.build import newest

    try:
        folder = state_folder(state)
    except Unavailable:
        folder = None  # no server is meant; the program itself has no number
    serving = _serving_version(folder)
    known = newest(folder) if folder is not None else None
    build = {"number": known.number, "source": known.source} if known is not None and known.number else None
    build = serving["build"] if serving is not None else build or {"number": 0, "source": program_source({})}
    if as_json:
        print_json({"version": perdure.__version__, "build": build, "server": serving})
        return
    shown = f"build {build['number']} ({plain(build['source'])})"
    if serving is None:
        click.echo(f"Perdure {perdure.__version__}, {shown}")
    else:
        click.echo(f"Perdure {perdure.__version__}\nserved by Perdure {plain(serving['version'])}, {shown}")


def _serving_version(folder: Path | None) -> dict[str, Any] | None:
    """What the server on the folder says that it is; None where none runs."""
    if folder is None:
        return None
    try:
        with Client(folder) as client:
            found: dict[str, Any] = client.request("version")
    except Unavailable:
        return None
    return found


COMMANDS = [account, snapshot, logs, faults, version]
