"""A small game under Evennia: written to a temporary folder, started by its own command line."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from bench.peers.client import Door
from bench.peers.environment import CACHE, OPERATOR, PASSWORD, command, new_game

DOOR = Door("connect <username>", "connect guest", "Limbo")
SET = (
    "Set for Evennia in all of it, so that a hundred guests of one address get in soon: GUEST_ENABLED, GUEST_LIST,",
    "MAX_CONNECTION_RATE, CREATION_THROTTLE_LIMIT, LOGIN_THROTTLE_LIMIT, PASSWORD_HASHERS, AUTH_PASSWORD_VALIDATORS;",
    "and where it listens, and the two commands. None of it touches a line that is said.",
)
"""What differs from its defaults, as the tables say it."""
START_S = 60.0
FIRST_S = 10.0
"""After its first start the server goes on to fill its tables, and starts once more."""
LOOK_S = 0.01
_COMMANDS = '''"""Two commands: one answers, one changes a stored value first."""

from evennia import Command

from commands.default_cmdsets import CharacterCmdSet

VALUE = {value}


class Echo(Command):
    key = "e"
    locks = "cmd:all()"

    def func(self):
        self.caller.msg(f"={{self.args.strip()}};")


class Use(Command):
    key = "use"
    locks = "cmd:all()"

    def func(self):
        self.caller.db.uses = (self.caller.db.uses or 0) + 1
        self.caller.msg(f"={{self.args.strip()}};")


class Bench(CharacterCmdSet):
    def at_cmdset_creation(self):
        super().at_cmdset_creation()
        self.add(Echo())
        self.add(Use())
'''
_SETTINGS = """
# Where it listens, and what lets a hundred players of one address in; none of it touches a line that is said.
TELNET_PORTS = [{telnet}]
TELNET_INTERFACES = ["127.0.0.1"]
WEBSERVER_PORTS = [({web}, {web_internal})]
WEBSERVER_INTERFACES = ["127.0.0.1"]
WEBSOCKET_CLIENT_PORT = {websocket}
WEBSOCKET_CLIENT_INTERFACE = "127.0.0.1"
AMP_PORT = {amp}
CMDSET_CHARACTER = "commands.bench.Bench"
GUEST_ENABLED = True
GUEST_LIST = [f"Guest{{number}}" for number in range(1, 201)]
MAX_CONNECTION_RATE = 1000
CREATION_THROTTLE_LIMIT = None
LOGIN_THROTTLE_LIMIT = None
PASSWORD_HASHERS = [f"django.contrib.auth.hashers.{{name}}PasswordHasher" for name in ("MD5", "PBKDF2")]
AUTH_PASSWORD_VALIDATORS = []  # guests get random passwords, and of those some are refused by the default ones
"""
_LIFTED = """
# As many lines each second as a player likes.
MAX_COMMAND_RATE = 1_000_000

# Each small message leaves at once, to players and between the two processes.
import socket


class AtOnce(socket.socket):
    def __init__(self, *args, **named):
        super().__init__(*args, **named)
        if self.family == socket.AF_INET and self.type == socket.SOCK_STREAM:
            self.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


socket.socket = AtOnce
"""


class Evennia:
    """A running server; its two processes are the portal, which holds the sockets, and the server.

    Attributes:
        port: Where players connect by telnet.
    """

    def __init__(self, interpreter: Path, folder: Path, port: int) -> None:
        self._interpreter, self.folder, self.port = interpreter, folder, port
        self._value = 0

    def edit(self) -> None:
        """Save other code for its commands."""
        self._value += 1
        (self.folder / "commands" / "bench.py").write_text(_COMMANDS.format(value=self._value))

    def run(self, *words: str) -> str:
        """Its own command line."""
        return command(self._interpreter, self.folder, *words)

    def pids(self) -> dict[str, int]:
        """portal and server -> pid, of those that say that they run."""
        found = {}
        for name in ("portal", "server"):
            with contextlib.suppress(OSError, ValueError):
                found[name] = int((self.folder / "server" / f"{name}.pid").read_text())
        return found

    def rss_mib(self) -> dict[str, float]:
        """Resident memory of each process."""
        return {name: psutil.Process(pid).memory_info().rss / 2**20 for name, pid in self.pids().items()}

    def kill_server(self) -> int:
        """kill -9 of the process that the game runs in; its pid."""
        pid = self.pids()["server"]
        assert pid > 1
        assert self.owns(pid), "not this game's server"
        os.kill(pid, signal.SIGKILL)
        return pid

    def owns(self, pid: int) -> bool:
        """Whether this process runs, and was started for this game: its folder is in its command line."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return any(str(self.folder) in word for word in psutil.Process(pid).cmdline())
        return False

    def wait_other_server(self, pid: int) -> None:
        """Wait until another process than this one says that it is the server."""
        deadline_s = time.monotonic() + START_S
        while (now := self.pids().get("server")) in (None, pid) or not self.owns(now or 0):
            if time.monotonic() > deadline_s:
                raise RuntimeError(f"Evennia's server did not come back within {START_S:g} s")
            time.sleep(LOOK_S)


class Operator:
    """The superuser, by telnet; a context manager."""

    def __init__(self, running: Evennia) -> None:
        self._sock = socket.create_connection(("127.0.0.1", running.port), START_S)
        self._sock.settimeout(START_S)
        self._hear(DOOR.greeting)
        self.say(f"connect {OPERATOR} {PASSWORD}")
        self._hear(DOOR.shown)

    def __enter__(self) -> Operator:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def say(self, line: str) -> None:
        """Type a line."""
        self._sock.sendall(f"{line}\r\n".encode())

    def _hear(self, text: str) -> None:
        heard = b""
        while text.encode() not in heard:
            data = self._sock.recv(1 << 16)
            if not data:
                raise RuntimeError(f"Evennia closed the operator's connection before {text!r}")
            heard += data


@contextlib.contextmanager
def serving(interpreter: Path, *, lifted: bool = False) -> Iterator[Evennia]:
    """A server of this game; it serves when the block begins, and is gone when it ends.

    Args:
        lifted: Without its limit of lines each second, and with TCP_NODELAY; otherwise with its defaults.
    """
    made = CACHE / "mygame"
    if not made.exists():
        _make(interpreter, made)
    with tempfile.TemporaryDirectory(prefix="perdure-bench-") as name:
        folder = Path(name) / "mygame"
        shutil.copytree(made, folder, ignore=shutil.ignore_patterns("*.pid", "*.log"))
        with _started(interpreter, folder, _LIFTED if lifted else "") as running:
            yield running


def free_ports(count: int) -> list[int]:
    """So many ports of 127.0.0.1 that nobody listens on."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(sock.getsockname()[1]) for sock in held]


def _make(interpreter: Path, made: Path) -> None:
    """A game whose first start, which fills its tables, is behind it."""
    shutil.rmtree(CACHE / "making", ignore_errors=True)
    (CACHE / "making").mkdir(parents=True)
    folder = new_game(interpreter, CACHE / "making")
    with _started(interpreter, folder, "") as running:
        time.sleep(FIRST_S)
        _wait_login(running, "")
        running.run("stop")
    (folder / "server" / "conf" / "settings.py").write_text(_plain_settings(folder))
    folder.rename(made)


def _plain_settings(folder: Path) -> str:
    return (folder / "server" / "conf" / "settings.py").read_text().partition(_SETTINGS.partition("{")[0])[0]


@contextlib.contextmanager
def _started(interpreter: Path, folder: Path, more: str) -> Iterator[Evennia]:
    ports = dict(zip(("telnet", "web", "web_internal", "websocket", "amp"), free_ports(5), strict=True))
    with (folder / "server" / "conf" / "settings.py").open("a") as settings:
        settings.write(_SETTINGS.format(**ports) + more)
    running = Evennia(interpreter, folder, ports["telnet"])
    running.edit()
    try:
        told = running.run("start")
        _wait_login(running, told)
        yield running
    finally:
        end(running)


def _wait_login(running: Evennia, told: str) -> None:
    """Until the superuser can log in; `told` by a start that may have failed, since that exits with 0, too."""
    deadline_s = time.monotonic() + START_S
    while True:
        with contextlib.suppress(OSError, RuntimeError), Operator(running):
            return
        if time.monotonic() > deadline_s:
            raise RuntimeError(f"nobody could log in to Evennia within {START_S:g} s: {told[-500:]}")
        time.sleep(0.2)


def end(running: Evennia) -> None:
    """Its two processes are gone when this returns."""
    for pid in running.pids().values():
        if running.owns(pid):
            assert pid > 1
            os.kill(pid, signal.SIGKILL)
        while running.owns(pid):
            time.sleep(LOOK_S)
