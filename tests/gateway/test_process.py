"""The gateway process as its supervisor starts it, and what of a password it leaves behind."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
import telnetlib3

from perdure import logs
from perdure.gateway.desk import Hasher
from perdure.link.messages import EventSent
from perdure.room.record import Input, Join, Leave
from perdure.store.accounts import SqlAccounts
from perdure.store.passwords import hash_password, verify_password
from tests.gateway.world import PATIENCE_S, Host, Player, running

TOML = '[games.g]\npath = "g"\n[rooms]\nworld = "g"\n[server]\nname = "Process"\n'


class Process:
    """A gateway process; the test is its supervisor."""

    def __init__(self, folder: Path) -> None:
        (folder / "perdure.toml").write_text(TOML)
        (folder / "g").mkdir()
        self.state = folder / "state"
        self.state.mkdir()
        accounts = SqlAccounts(self.state / "accounts.db")
        accounts.create("Ada", hash_password("secret1"), "admin")
        accounts.close()
        telnet, link = socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX)
        self.link_path = self.state / "link.sock"
        link.bind(str(self.link_path))
        link.listen()
        self.address: tuple[str, int] = telnet.getsockname()
        self.control, theirs = socket.socketpair()
        self.control.settimeout(PATIENCE_S)
        fds = [sock.fileno() for sock in (telnet, link, theirs)]
        boot = {
            "project": str(folder),
            "state": str(self.state),
            "name": "gateway",
            "control_fd": theirs.fileno(),
            "listeners": {"telnet": [telnet.fileno()], "link": link.fileno()},
            "epoch": 3,
            "began_s": 1_700_000_000.0,
            "log_level": "debug",
        }
        self.child = subprocess.Popen(
            [sys.executable, "-P", "-m", "perdure.gateway"],
            env={**os.environ, "PERDURE_BOOT": json.dumps(boot)},
            pass_fds=fds,
            stdin=subprocess.DEVNULL,
        )
        for sock in (telnet, link, theirs):
            sock.close()
        self.lines = self.control.makefile("r")
        assert self.hears() == {"event": {"kind": "ready"}}

    def hears(self) -> Any:
        """The next line of the control channel."""
        return json.loads(self.lines.readline())

    def asks(self, method: str, **params: Any) -> Any:
        """The answer to a request."""
        self.control.sendall(json.dumps({"id": 1, "method": method, "params": params}).encode() + b"\n")
        return self.hears()

    def hangs_up(self) -> None:
        """Be gone, as a supervisor that died."""
        self.lines.close()
        self.control.close()


@contextmanager
def started(folder: Path) -> Iterator[Process]:
    process = Process(folder)
    try:
        yield process
    finally:
        process.hangs_up()
        if process.child.poll() is None:
            process.child.kill()
        process.child.wait(PATIENCE_S)


def test_the_process_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """Ready, a player in, signals of the group ignored, an orderly end with status 0 (FM-41, FM-55)."""
    with started(tmp_path) as process:
        host = Host(process.link_path)
        host.up()
        player = Player(process.address)
        assert "Welcome to Process." in player.sees("Name: ")
        player.types("connect ada secret1")
        join = host.joined()
        assert isinstance(join.body, Join)
        assert (join.session, join.body.who.role) == ("gateway.3.1", "admin")
        for number in (signal.SIGTERM, signal.SIGINT):
            process.child.send_signal(number)
        player.types("look")
        assert host.expect(EventSent, n=1).body == Input("look")
        assert process.asks("status")["result"]["sessions"] == 1
        assert process.asks("log-level", level="warning")["result"] == {"level": "warning"}
        assert "there are debug" in process.asks("log-level", level="loud")["error"]["message"]
        process.control.sendall(b'{"id": 2, "method": "stop"}\n')
        leave = host.expect(EventSent, n=2)
        assert leave.body == Leave("stop")
        host.acks(leave)
        assert "Your character is saved." in player.is_closed()
        assert process.hears()["result"] == {"sessions": 1, "undrained": 0}
        assert process.child.wait(PATIENCE_S) == 0
        host.sock.close()


def test_the_process_ends_with_its_supervisor(tmp_path: Path) -> None:
    """A closed control channel means that nobody watches any more (FM-53)."""
    with started(tmp_path) as process:
        player = Player(process.address)
        player.sees("Name: ")
        process.hangs_up()
        assert process.child.wait(PATIENCE_S) == 0
        player.is_closed()


def test_no_password_is_in_any_file_log_or_link_message(tmp_path: Path) -> None:
    """Right, wrong, new and mistyped ones; typed with echo on and off (FM-96)."""
    secrets = ["right-pw-1", "wrong-pw-2", "new-pw-3", "seen-pw-4", "stray-pw-5"]
    accounts, hasher = SqlAccounts(tmp_path / "accounts.db"), Hasher(hash_password, verify_password)
    accounts.create("Ada", hash_password(secrets[0]), "player")
    log_file = logs.setup("gateway", tmp_path, "debug")
    try:
        with running(tmp_path, accounts=accounts, hasher=hasher) as world:
            host = world.host()
            one = world.player()
            one.types("ada", secrets[1])
            one.sees("not the password")
            one.types("ada", secrets[0])
            host.joined()
            two = world.player()
            two.types("Bob", "yes", secrets[2], secrets[2])
            host.joined()
            three = world.player()
            three.types(f"create Cyd {secrets[3]}")
            host.joined()
            four = world.player()
            four.types(secrets[4], "no", f"conect ada {secrets[1]}", f"connect ada {secrets[1]}")
            four.sees("not the password")
            reports = json.dumps(world.asks("sessions"))
            heard = repr(host.heard)
    finally:
        structlog.reset_defaults()
        log_file.close()
        accounts.close()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"gateway.jsonl", "accounts.db"} <= {path.name for path in files}
    assert "login failed" in (tmp_path / "logs" / "gateway.jsonl").read_text()
    for secret in secrets:
        assert secret not in heard + reports
        assert not [path for path in files if secret.encode() in path.read_bytes()]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_telnetlib3_negotiates_size_and_terminal(tmp_path: Path, anyio_backend: str) -> None:
    """Somebody else's client agrees with our machine about NAWS, TTYPE and ECHO (FM-5)."""
    del anyio_backend
    with running(tmp_path) as world:
        host = await asyncio.to_thread(world.host)
        _reader, writer = await telnetlib3.open_connection(
            *world.address, cols=101, rows=42, term="xterm", connect_minwait=0.1, connect_maxwait=1.0
        )
        writer.write("guest\r\n")  # type: ignore[arg-type]  # with an encoding it takes text
        join = await asyncio.to_thread(host.joined)
        assert isinstance(join.body, Join)
        assert (join.body.columns, join.body.rows) == (101, 42)
        (client,) = world.gateway.clients
        assert client.wire.told.terminal.lower() == "xterm"
        writer.close()
