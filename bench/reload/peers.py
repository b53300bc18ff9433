"""The same edit under other tools: how long until it is live, what it leaves behind, who is disconnected."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench.processes import end, server
from bench.reload.edits import Operator, Tail
from bench.reload.games import HELPERS, Game, game, helpers
from bench.reload.growth import anonymous_bytes, slope
from bench.reload.peer_server import APPLICATION
from bench.reload.typist import Typist
from bench.report import Report, main, number

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / "build" / "bench-peers"
PACKAGES = ("watchfiles", "jurigged", "uvicorn", "websockets")
LEAF = '"""A module."""\n\n\ndef value() -> int:\n    return VALUE\n'
SEEN_S = 20.0
APART_S = 0.2
WEBSOCKETS = 10
START_S = 30.0
"""Longest wait for a tool to serve."""


class Edited(NamedTuple):
    """One tool.

    Attributes:
        seen_s: From the close of the saved file until a client got an answer that shows it.
        unseen: Saves that were not live within `SEEN_S`.
        grown: Bytes that a reload leaves behind, in the process that stays.
        dropped: Connections that were closed for each save, of how many.
    """

    seen_s: list[float]
    unseen: int
    grown: float
    dropped: str


# -- the environment ----------------------------------------------------------------------------------


def installed() -> tuple[Path, list[str]]:
    """The Python of an environment with the tools, made at the first use; and what could not be installed."""
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
    return python, [package for package in PACKAGES if not _has(python, package) and not _install(python, package)]


def _has(python: Path, package: str) -> bool:
    code = f"import importlib.metadata; importlib.metadata.version({package!r})"
    return subprocess.run([str(python), "-c", code], capture_output=True, check=False).returncode == 0


def _install(python: Path, package: str) -> bool:
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{package} cannot be installed: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
    return done.returncode == 0


def versions(python: Path) -> str:
    """What is compared, with versions."""
    code = "import importlib.metadata as m, sys; print(*(f'{p} {m.version(p)}' for p in sys.argv[1:]), sep=', ')"
    done = subprocess.run([str(python), "-c", code, *PACKAGES], capture_output=True, text=True, check=False)
    return done.stdout.strip()


# -- a module of the size of ours, saved --------------------------------------------------------------


class Folder:
    """A folder with the module `leaf`; as long as Perdure's."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sources = LEAF + helpers()
        self._value = 0
        self.save()

    def save(self) -> str:
        """A new value."""
        self._value += 1
        (self.path / "leaf.py").write_text(self.sources.replace("VALUE", str(self._value)))
        return str(self._value)


def saves(folder: Folder | Game, typist: Typist, count: int, apart_s: float) -> tuple[list[float], int]:
    """Seconds until each save was seen, and how many were not."""
    seen_s: list[float] = []
    save = folder.save if isinstance(folder, Folder) else folder.save_leaf
    for _ in range(count):
        value = save()
        saved_s = time.monotonic()
        at_s = typist.seen(value, SEEN_S)
        if at_s is not None:
            seen_s.append(at_s - saved_s)
        time.sleep(apart_s)
    return seen_s, count - len(seen_s)


# -- each tool -------------------------------------------------------------------------------------------


def perdure(count: int, reloads: int) -> Edited:
    """Perdure, with a game of one module of that size beside the room's."""
    with game(parts=0, watch=True) as saved, server(saved.folder) as running, Typist(running.port) as typist:
        typist.begin("leaf =NUMBER;\r\n")
        seen_s, unseen = saves(saved, typist, count, APART_S)
        drops = typist.stop()["drops"]
    with game(parts=0) as saved, server(saved.folder) as running, Operator(running) as operator:

        def reload() -> None:
            saved.save_leaf()
            operator.reload()

        grown = slope(running.pids()["host"], reload, reloads // 5, reloads)
    return Edited(seen_s, unseen, grown, f"{drops} of 1")


def in_process(python: Path, tool: str, count: int, reloads: int) -> Edited:
    """A tool that changes the running process."""
    with _folder() as folder:
        command = [str(python), str(Path(__file__).with_name("peer_server.py")), tool, str(folder.path)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            port = int(process.stdout.readline())
            with Typist(port, guest=False) as typist:
                typist.begin("=NUMBER;\n")
                time.sleep(1.0)
                seen_s, unseen = saves(folder, typist, count, APART_S)
                drops = typist.stop()["drops"]
            order = {"sources": folder.sources, "warm_up": reloads // 5, "count": reloads, "sample": 10}
            process.stdin.write(json.dumps(order).encode() + b"\n")
            process.stdin.flush()
            at, sizes = zip(*json.loads(process.stdout.readline()), strict=True)
        finally:
            end(process)
    return Edited(seen_s, unseen, statistics.linear_regression(at, sizes).slope, f"{drops} of 1")


def uvicorn(python: Path, count: int) -> Edited:
    """``uvicorn --reload`` with an application of one page and a WebSocket."""
    with _folder() as folder:
        (folder.path / "application.py").write_text(APPLICATION)
        port = _free_port()
        command = [str(python), "-m", "uvicorn", "application:app", "--reload", "--port", str(port)]
        command += ["--log-level", "error"]
        process = subprocess.Popen(command, cwd=folder.path, stdin=subprocess.DEVNULL)
        try:
            _wait_serving(port)
            with WebSockets(port, WEBSOCKETS) as sockets, Typist(port, guest=False) as typist:
                typist.begin("GET /?=NUMBER; HTTP/1.1\r\nHost: bench\r\n\r\n")
                time.sleep(1.0)
                before = anonymous_bytes(process.pid)
                seen_s, unseen = saves(folder, typist, count, 1.0)
                grown = (anonymous_bytes(process.pid) - before) / count
        finally:
            end(process)
    return Edited(seen_s, unseen, grown, f"{sockets.dropped / count:.0f} of {WEBSOCKETS}")


class WebSockets:
    """Clients that hold a connection each, and connect again when it is closed; a context manager.

    Attributes:
        dropped: How often one was closed.
    """

    def __init__(self, port: int, count: int) -> None:
        self._port, self._count = port, count
        self.dropped = 0
        self._stopped = False

    def __enter__(self) -> WebSockets:
        self._sockets = [self._connected() for _ in range(self._count)]
        self._thread = threading.Thread(target=self._hold, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        self._thread.join()
        for sock in self._sockets:
            sock.close()

    def _connected(self) -> socket.socket:
        key = base64.b64encode(os.urandom(16))
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        deadline_s = time.monotonic() + START_S
        while True:
            with contextlib.suppress(OSError):
                sock = socket.create_connection(("127.0.0.1", self._port), START_S)
                sock.sendall(
                    b"GET / HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n" % key
                )
                if accept in sock.recv(4096):
                    return sock
                sock.close()
            if time.monotonic() > deadline_s:
                raise RuntimeError("no WebSocket within the time")
            time.sleep(0.01)

    def _hold(self) -> None:
        while not self._stopped:
            for sock in select.select(self._sockets, [], [], 0.05)[0]:
                self._heard(sock)

    def _heard(self, sock: socket.socket) -> None:
        data = b""
        with contextlib.suppress(OSError):
            data = sock.recv(4096)
            if data[:1] == b"\x88":  # a close frame; it is answered by another, masked with zeros
                sock.sendall(b"\x88\x82\0\0\0\0" + data[2:4])
        if not data or data[:1] == b"\x88":
            sock.close()
            self.dropped += 1
            self._sockets[self._sockets.index(sock)] = self._connected()


@contextlib.contextmanager
def _folder() -> Iterator[Folder]:
    with tempfile.TemporaryDirectory(prefix="perdure-bench-") as name:
        yield Folder(Path(name))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def _wait_serving(port: int) -> None:
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
            return
        time.sleep(0.05)
    raise RuntimeError(f"nothing serves within {START_S:g} s")


# -- the table -------------------------------------------------------------------------------------------


def measure(short: bool) -> Report:
    """Perdure first, then the others, in the same minutes."""
    count, reloads = (15, 100) if short else (100, 1000)
    python, missing = installed()
    found: dict[str, Edited] = {"Perdure": perdure(count, reloads)}
    if "watchfiles" not in missing:
        found["importlib.reload + watchfiles"] = in_process(python, "importlib", count, reloads)
    if "jurigged" not in missing:
        found["jurigged"] = in_process(python, "jurigged", count, reloads)
    if not {"uvicorn", "websockets"} & set(missing):
        found["uvicorn --reload"] = uvicorn(python, 3 if short else 30)
    rows = [[name, *_cells(edited)] for name, edited in found.items()]
    figures: dict[str, float] = {}
    for name, edited in found.items():
        key = name.split()[0].partition(".")[0].lower()
        if edited.seen_s:
            seen = Tail.of(edited.seen_s)
            figures |= {f"{key}_seen_p50_ms": seen.p50 * 1e3, f"{key}_seen_max_ms": seen.max * 1e3}
        figures[f"{key}_bytes"] = edited.grown
    left_out = f"Not installed, so not measured: {', '.join(missing)}." if missing else "Nothing was left out."
    return Report(
        "reload.peers",
        f"A module of {4 * HELPERS + 20} lines saved, in ms until it is live, and bytes that a reload leaves behind",
        ["", "seen", "99th", "longest", "saves never live", "bytes a reload", "connections dropped at a save"],
        rows,
        "each other: the same client and the same lines in the module, one after the other.",
        [],
        [
            f"{count} saves ({3 if short else 30} with uvicorn), {reloads:,} reloads for the memory.",
            f"{versions(python)}. {left_out}",
            "uvicorn starts a new process each time: what was in memory is gone, and the memory is that of the process",
            "that starts them. What the others do to objects that are there is another question; here they only have",
            "to show a new value.",
            *QUOTED,
        ],
        figures,
    )


QUOTED = (
    "Quoted, not measured in this run, but by the authors of this page on another machine of two cores: in DGD 1.7 a",
    "recompile with all objects live is a call of 0.4–22 ms; its players' gap is in the noise at 1 MB of objects and",
    "34–53 ms at 50 MB, and objects are converted when they are first touched. An Erlang gen_server with 1 MB of state",
    "goes through suspend, load, change_code and resume in 1.2 ms, 6.5 ms at the 99th.",
)


def _cells(edited: Edited) -> list[str]:
    seen = Tail.of(edited.seen_s).cells(1e3) if edited.seen_s else ["", "", ""]
    return [*seen, f"{edited.unseen}", number(edited.grown), edited.dropped]


if __name__ == "__main__":
    main(measure)
