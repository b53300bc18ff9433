"""A real server: `perdure run` in a process of its own, how to ask it, and how to hurt it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from perdure.cli.client import Client
from perdure.errors import PerdureError, Unavailable
from perdure.supervisor.events import read_events

ROOT = Path(__file__).parents[2]
MUD = ROOT / "examples" / "mud"
GAMES = Path(__file__).parent / "games"
COMMAND = [sys.executable, "-P", "-c", "from perdure.cli import main; main()"]
DEADLINE_S = 90.0
"""When a test gives up: an overloaded machine has taken 30 s for what else takes 2."""
LOOK_S = 0.01

T = TypeVar("T")


def wait_until(
    condition: Callable[[], T | None], what: str, deadline_s: float = DEADLINE_S, look_s: float = LOOK_S
) -> T:
    """Look again and again until `condition` is true; its value."""
    until_s = time.monotonic() + deadline_s
    while not (value := condition()):
        assert time.monotonic() < until_s, f"{what} did not come about within {deadline_s:g} s"
        time.sleep(look_s)
    return value


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def project(folder: Path, games: Mapping[str, Path], rooms: Mapping[str, str], login: str, **settings: object) -> Path:
    """A project of these games, in `folder`; `settings` are keys of every game."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["[server]", 'name = "Test"', 'telnet = "127.0.0.1:0"', 'web = "127.0.0.1:0"']
    for game, path in games.items():
        lines += [f"[games.{game}]", f"path = {json.dumps(str(path))}"]
        lines += [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    lines += ["[rooms]", *(f'{room} = "{game}"' for room, game in rooms.items())]
    lines += ["[login]", f'room = "{login}"']
    (folder / "perdure.toml").write_text("\n".join(lines) + "\n")
    return folder


def mud(folder: Path, **settings: object) -> Path:
    """The example, with other settings."""
    return project(folder, {"mud": MUD / "mud"}, {"world": "mud", "arena": "mud"}, "world", **settings)


def trouble(folder: Path) -> Path:
    """Two rooms where everything can go wrong. Players enter the pit, and `go yard`."""
    return project(folder, {"trouble": GAMES / "trouble"}, {"pit": "trouble", "yard": "trouble"}, "pit")


class Server:
    """One `perdure run`, over all its starts.

    Args:
        folder: Gets the state, unless `state` names another.
        project: What is run.
        prefix: A command in front, such as ``unshare``.
    """

    def __init__(
        self, folder: Path, project: Path = MUD, *, state: Path | None = None, prefix: Sequence[str] = ()
    ) -> None:
        self.project, self.prefix = project, list(prefix)
        self.state = state or folder / "state"
        self.output = folder / "output"
        self.popen: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """What starts it."""
        anywhere = ["--telnet", "127.0.0.1:0", "--web", "127.0.0.1:0"]
        return [*self.prefix, *COMMAND, "run", str(self.project), *anywhere, "--state", str(self.state)]

    def start(self, fault: str = "", *, wait: bool = True, **options: Any) -> "Server":
        """Start it, and wait until players may come."""
        assert self.popen is None or self.popen.poll() is not None
        self._since = max((event["seq"] for event in read_events(self.state)), default=0)
        with self.output.open("ab") as output:
            self.popen = subprocess.Popen(
                self.command(),
                **{"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output, "env": environ(fault), **options},
            )
        if wait:
            self.wait_ready()
        return self

    def start_with(self, run: Callable[[list[str]], object]) -> None:
        """Let `run` start it, in whatever place that is, and wait until players may come."""
        self._since = 0
        run(self.command())
        self.wait_ready()

    def wait_ready(self) -> None:
        """Until gateway and host serve."""
        self.wait_event("ready", name="gateway")
        self.wait_event("ready", name="host-1")

    # --- asking ---

    def ask(self, method: str, **params: Any) -> Any:
        """A request on the control socket, as every command makes it."""

        def answered() -> tuple[Any] | None:
            with suppress(Unavailable), Client(self.state) as client:
                return (client.request(method, params),)
            return None

        return wait_until(answered, f"an answer to {method}")[0]

    def cli(self, *arguments: object, stdin: str = "") -> Done:
        """A command of `perdure` on this server."""
        done = subprocess.run(
            [*COMMAND, *map(str, arguments), "--state", str(self.state)],
            input=stdin, capture_output=True, text=True, timeout=DEADLINE_S, env=environ(), check=False,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)

    @property
    def address(self) -> tuple[str, int]:
        """Where players connect."""
        host, port = self.ask("status")["listening"]["telnet"][0]
        return host, port

    def pid(self, name: str) -> int:
        """The pid of a process, as `perdure status --json` has it."""

        def found() -> int | None:
            processes = self.ask("status")["processes"]
            return next((p["pid"] for p in processes if p["name"] == name and p["state"] == "running"), None)

        return wait_until(found, f"a running {name}")

    def events(self, kind: str, **fields: object) -> list[dict[str, Any]]:
        """The events of this kind since the last start."""
        return [
            event
            for event in read_events(self.state, self._since)
            if event["kind"] == kind and all(event.get(key) == value for key, value in fields.items())
        ]

    def wait_event(self, kind: str, count: int = 1, deadline_s: float = DEADLINE_S, **fields: object) -> dict[str, Any]:
        """The newest such event, once there are `count`."""

        def found() -> dict[str, Any] | None:
            if len(events := self.events(kind, **fields)) >= count:
                return events[-1]
            if self.popen is not None and self.popen.poll() is not None:
                raise AssertionError(f"the server ended while {kind} {fields} was awaited: {self.said()}")
            return None

        return wait_until(found, f"{count} × {kind} {fields}", deadline_s)

    def wait_next_host(self) -> None:
        """Until a host has died and another one serves."""
        died = self.wait_event("exited", name="host-1")
        wait_until(lambda: any(e["seq"] > died["seq"] for e in self.events("ready", name="host-1")), "the next host")

    def said(self) -> str:
        """What it printed."""
        return self.output.read_text() if self.output.exists() else ""

    def files_with(self, text: bytes) -> list[Path]:
        """The files of the state and the output that have the text."""
        found: list[Path] = []
        walked = os.walk(self.state)  # which passes over folders that go away meanwhile, as journals do
        for path in [*(Path(folder) / name for folder, _, names in walked for name in names), self.output]:
            with suppress(FileNotFoundError):  # the host that wrote it has just ended
                if path.is_file() and text in path.read_bytes():
                    found.append(path)
        return found

    # --- hurting ---

    def kill(self, name: str) -> int:
        """kill -9 the process of this name; its pid."""
        pid = self.pid(name)
        kill(pid)
        return pid

    def kill_host(self) -> None:
        """kill -9 the host, and wait until another one serves."""
        ready = len(self.events("ready", name="host-1"))
        self.kill("host-1")
        self.wait_event("ready", ready + 1, name="host-1")

    # --- ending ---

    def stop(self) -> int:
        """SIGTERM, as a service manager does it; the exit code."""
        assert self.popen is not None
        assert self.popen.pid > 1
        self.popen.terminate()
        return self.popen.wait(DEADLINE_S)

    def crash(self) -> None:
        """kill -9 the supervisor; the others end themselves."""
        assert self.popen is not None
        kill(self.popen.pid)
        self.wait_gone()

    def wait_gone(self) -> None:
        """Until no process of it is there any more."""
        assert self.popen is not None
        self.popen.wait(DEADLINE_S)
        pids = [event["pid"] for event in self.events("starting")]
        wait_until(lambda: not any(map(alive, pids)), "the end of gateway and host")

    def cleanup(self) -> None:
        """Whatever was started is gone afterwards."""
        with suppress(PerdureError, OSError), Client(self.state) as client:
            client.request("stop", {"now": True}, timeout_s=5.0)
            client.wait_end(10.0)
        if self.popen is None or self.popen.poll() is not None:
            return
        with suppress(subprocess.TimeoutExpired):
            self.popen.wait(10.0)
        if self.popen.poll() is None:  # its children end themselves when it is gone
            self.popen.kill()
            self.popen.wait(DEADLINE_S)


def kill(pid: int) -> None:
    """kill -9."""
    assert pid > 1
    os.kill(pid, signal.SIGKILL)


def environ(fault: str = "") -> dict[str, str]:
    """The environment of a server: nothing of Perdure's but the fault."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PERDURE_")}
    return clean | ({"PERDURE_FAULT": fault} if fault else {})


@contextmanager
def serving(folder: Path, project: Path = MUD, fault: str = "", **options: Any) -> Iterator[Server]:
    """A server that runs inside the block, and is gone afterwards."""
    server = Server(folder, project, **options)
    try:
        yield server.start(fault)
    finally:
        server.cleanup()
