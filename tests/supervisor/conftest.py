"""A real supervisor over fake children, and what to ask of the machine about them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest

from perdure.cli.client import Client
from perdure.errors import Unavailable
from perdure.supervisor.events import read_events

HERE = Path(__file__).parent
DEADLINE_S = 60.0
T = TypeVar("T")


def wait_until(condition: Callable[[], T | None], what: str = "the condition") -> T:
    """Look again and again until `condition` is true; its value."""
    until_s = time.monotonic() + DEADLINE_S
    while not (value := condition()):
        assert time.monotonic() < until_s, f"{what} did not come about within {DEADLINE_S:g} s"
        time.sleep(0.005)
    return value


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def child(*deeds: Sequence[object] | str) -> list[str]:
    """The command of a child that does these deeds and then serves."""
    texts = ["\t".join(map(str, deed)) if not isinstance(deed, str) else deed for deed in deeds]
    return [sys.executable, "-I", str(HERE / "child.py"), *texts]


class Server:
    """A supervisor in a process of its own."""

    def __init__(self, folder: Path, prefix: Sequence[str] = (), env: dict[str, str] | None = None) -> None:
        self.state = folder / "state"
        self.project = folder
        self.prefix, self.env = prefix, env or {}
        self.state.mkdir(exist_ok=True)
        (folder / "game").mkdir(exist_ok=True)
        (folder / "perdure.toml").write_text(
            '[server]\ntelnet = "127.0.0.1:0"\nweb = "127.0.0.1:0"\n'
            '[games.game]\npath = "game"\n[rooms]\nworld = "game"\n'
        )
        self.popen: subprocess.Popen[str] | None = None
        self._since = 0

    def start(self, gateway: list[str], *hosts: list[str], **options: Any) -> "Server":
        """Start it with these as gateway, host-1, host-2 and so on; further hosts are what perdure.toml says."""
        commands = {"gateway": gateway, **{f"host-{number}": host for number, host in enumerate(hosts, 1)}}
        order = json.dumps({"project": str(self.project), "state": str(self.state), "commands": commands})
        self._since = max((event["seq"] for event in read_events(self.state)), default=0)
        self.popen = subprocess.Popen(
            [*self.prefix, sys.executable, str(HERE / "supervise.py"), order],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **self.env},
            **options,
        )
        return self

    def signal(self, signal: signal.Signals) -> None:
        assert self.popen is not None
        assert self.popen.pid > 1
        self.popen.send_signal(signal)

    def end(self) -> tuple[int, str, str]:
        """Wait for its end: exit code, stdout, stderr."""
        assert self.popen is not None
        out, err = self.popen.communicate(timeout=DEADLINE_S)
        return self.popen.returncode, out, err

    def client(self) -> Client:
        def connected() -> Client | None:
            with suppress(Unavailable):
                return Client(self.state)
            return None

        return wait_until(connected, "a control socket")

    def ask(self, method: str, **params: Any) -> Any:
        with self.client() as client:
            return client.request(method, params)

    def events(self, kind: str, name: str = "") -> list[dict[str, Any]]:
        return [
            event
            for event in read_events(self.state)
            if event["kind"] == kind and (not name or event.get("name") == name)
        ]

    def wait_events(self, kind: str, name: str = "", count: int = 1) -> list[dict[str, Any]]:
        return wait_until(
            lambda: found if len(found := self.events(kind, name)) >= count else None, f"{count} × {kind} {name}"
        )

    def wait_ready(self) -> None:
        """Until gateway and host of this start are ready."""

        def readied() -> bool:
            return {"gateway", "host-1"} <= {one["name"] for one in self.events("ready") if one["seq"] > self._since}

        wait_until(readied, "a ready gateway and host-1")

    def pid(self, name: str) -> int:
        return int(self.processes()[name]["pid"])

    def processes(self) -> dict[str, dict[str, Any]]:
        """What `status` says of each process, by name."""
        return {process["name"]: process for process in self.ask("status")["processes"]}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that was not started; whatever it started is gone afterwards."""
    made = Server(tmp_path)
    yield made
    finish(made)


def finish(made: Server) -> None:
    """End it, and wait until it has ended."""
    if made.popen is None:
        return
    if made.popen.poll() is None:
        made.popen.terminate()
        made.popen.terminate()
    try:
        made.popen.communicate(timeout=DEADLINE_S)
    except subprocess.TimeoutExpired:
        made.popen.kill()
        made.popen.communicate()
    except ValueError:
        pass  # its end was seen, and its streams are closed
