"""From an empty environment to the first login, by the commands that each one's documentation gives to a newcomer."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

from bench.peers.environment import OPERATOR, PASSWORD, ROOT, python, surroundings, versions
from bench.peers.evennia import DOOR, free_ports
from bench.report import Report, Spread, main, number

STEP_S = 240.0
LOGIN_S = 90.0
TRY_S = 3.0
"""A login that is not answered for so long is tried again; Evennia starts twice the first time."""
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_PORTS = """
TELNET_PORTS = [{}]
WEBSERVER_PORTS = [({}, {})]
WEBSOCKET_CLIENT_PORT = {}
AMP_PORT = {}
"""


class Way(NamedTuple):
    """How one gets there.

    Attributes:
        package: What pip installs.
        commands: What comes after that. The last one serves.
        subfolder: Where all but the first are typed.
        greeting, login, shown: What one sees, says, and sees then.
        settings: File of the new game, and what is added to it so that it listens where nobody else does.
    """

    package: str
    commands: list[list[str]]
    subfolder: str
    greeting: str
    login: str
    shown: str
    port: int
    settings: tuple[str, str] | None


class Arrived(NamedTuple):
    """One newcomer.

    Attributes:
        wall_s, cpu_s: Until the login was answered; of all processes that were started.
        install_s: Of the first, the environment and pip.
        packages: Distributions in the environment, without pip, setuptools, and the one that was asked for.
        size_mib: What pip added to it.
    """

    wall_s: float
    cpu_s: float
    install_s: float
    packages: int
    size_mib: float


def our_way(wheel: str) -> Way:
    """As in docs/how-to/first-server.md: a new game, served in the foreground."""
    port, web = free_ports(2)
    serve = ["perdure", "run", "tavern", "--telnet", f"127.0.0.1:{port}", "--web", f"127.0.0.1:{web}"]
    login = f"create Ada {PASSWORD}"
    return Way(wheel, [["perdure", "new", "tavern"], serve], ".", "Name:", login, "Welcome, Ada", port, None)


def their_way() -> Way:
    """As on its installation page: a new game, its tables, and a start, which asks for the superuser."""
    ports = free_ports(5)
    commands = [["evennia", "--init", "tavern"], ["evennia", "migrate"], ["evennia", "start"]]
    settings = ("server/conf/settings.py", _PORTS.format(*ports))
    login = f"connect {OPERATOR} {PASSWORD}"
    return Way("evennia", commands, "tavern", DOOR.greeting, login, DOOR.shown, ports[0], settings)


def arrive(way: Way) -> Arrived:
    """Play one newcomer, who types without thinking, in an empty folder."""
    with tempfile.TemporaryDirectory(prefix="perdure-bench-") as name, _descendants_end():
        folder, before_s, began_s = Path(name), _cpu_s(), time.monotonic()
        _run([sys.executable, "-m", "venv", "venv"], folder, dict(os.environ))
        interpreter = folder / "venv" / "bin" / "python"
        environment = surroundings(interpreter)
        empty_mib = _size_mib(folder)
        _run([str(interpreter), "-m", "pip", "install", "-q", way.package], folder, environment)
        installed_s, size_mib = time.monotonic(), _size_mib(folder) - empty_mib
        for number_, (command, *words) in enumerate(way.commands, 1):
            full = [str(interpreter.parent / command), *words]
            at = folder if number_ == 1 else folder / way.subfolder
            if number_ == len(way.commands):
                subprocess.Popen(full, cwd=at, env=environment, **_SILENT)  # type: ignore[call-overload]
            else:
                _run(full, at, environment)
            if number_ == 1 and way.settings:
                with (folder / way.subfolder / way.settings[0]).open("a") as settings:
                    settings.write(way.settings[1])
        _log_in(way)
        wall_s, cpu_s = time.monotonic() - began_s, _cpu_s() - before_s
        return Arrived(wall_s, cpu_s, installed_s - began_s, _packages(interpreter), size_mib)


_SILENT = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    subprocess.run(command, cwd=folder, env=environment, check=True, timeout=STEP_S, **_SILENT)  # type: ignore[call-overload]


def _log_in(way: Way) -> None:
    """Try until it is answered."""
    deadline_s = time.monotonic() + LOGIN_S
    while time.monotonic() < deadline_s:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", way.port), TRY_S) as sock:
            sock.settimeout(TRY_S)
            _hear(sock, way.greeting)
            sock.sendall(f"{way.login}\r\n".encode())
            _hear(sock, way.shown)
            return
        time.sleep(0.05)
    raise RuntimeError(f"no login was answered within {LOGIN_S:.0f} s")


def _hear(sock: socket.socket, text: str) -> None:
    heard = b""
    while text.encode() not in heard:
        data = sock.recv(1 << 16)
        if not data:
            raise ConnectionResetError(f"closed before {text!r}")
        heard += data


def _packages(interpreter: Path) -> int:
    code = (
        "import importlib.metadata as m; "
        "print(len({d.name.lower() for d in m.distributions()} - {'pip', 'setuptools', 'wheel'}) - 1)"
    )
    command = [str(interpreter), "-P", "-c", code]
    return int(subprocess.run(command, env=surroundings(interpreter), capture_output=True, check=True).stdout)


def _size_mib(folder: Path) -> float:
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*")) / 2**20


# -- processor time of daemons ------------------------------------------------------------------------


def _cpu_s() -> float:
    """Processor time of all that was ever started from here, and of what that started.

    Who is left by its parent becomes a child of this process; who ended is waited for, so that its time is known.
    """
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess, ChildProcessError):
            if child.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(child.pid, os.WNOHANG)
    waited = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent_s = waited.ru_utime + waited.ru_stime
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            spent_s += sum(child.cpu_times()[:4])
    return spent_s


@contextlib.contextmanager
def _descendants_end() -> Iterator[None]:
    """What is started in the block, daemons too, becomes this process's and ends with the block."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    try:
        yield
    finally:
        ours = [child for child in psutil.Process().children(recursive=True) if child.pid not in before]
        for child in ours:
            assert child.pid > 1
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs(ours, STEP_S)


# -- the table ----------------------------------------------------------------------------------------


def _wheel(folder: Path) -> str:
    """Perdure as the package index would give it."""
    _run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT)], folder,
         dict(os.environ))  # fmt: skip
    (wheel,) = folder.glob("perdure-*.whl")
    return str(wheel)


def _warm(package: str, folder: Path) -> None:
    """Let pip have seen all that it needs."""
    _run([sys.executable, "-m", "pip", "download", "-q", "-d", str(folder / "seen"), package], folder, dict(os.environ))


def measure(short: bool) -> Report:
    """One newcomer to each, or two, in turn."""
    count = 1 if short else 2
    interpreter = python()
    found: dict[str, list[Arrived]] = {"Perdure": [], "Evennia": []}
    with tempfile.TemporaryDirectory(prefix="perdure-bench-") as name:
        wheel = _wheel(Path(name))
        for package in (wheel, "evennia"):
            _warm(package, Path(name))
        for _ in range(count):
            found["Perdure"].append(arrive(our_way(wheel)))
            found["Evennia"].append(arrive(their_way()))
    rows: list[list[str]] = []
    figures: dict[str, float] = {}
    for kind, way in (("Perdure", our_way(wheel)), ("Evennia", their_way())):
        wall, cpu, install = (Spread.of([each[index] for each in found[kind]]) for index in range(3))
        last = found[kind][-1]
        rows.append([
            kind, f"{2 + len(way.commands)}", wall.text(), install.text(), cpu.text(), f"{last.packages}",
            number(last.size_mib),
        ])  # fmt: skip
        figures |= {
            f"{kind.lower()}_wall_s": wall.median, f"{kind.lower()}_cpu_s": cpu.median,
            f"{kind.lower()}_packages": last.packages, f"{kind.lower()}_mib": last.size_mib,
        }  # fmt: skip
    return Report(
        "peers.newcomer",
        "From nothing to the first login, in s: median (10th–90th percentile)",
        ["", "commands", "all of it", "of it, venv and pip", "processor", "dependencies", "MiB installed"],
        rows,
        "each other, in turn.",
        [],
        [
            f"{versions(interpreter)}. {count} of each; what pip downloads is in its cache.",
            "Perdure: python -m venv, pip install (a wheel of this checkout), perdure new, perdure run; then create",
            "NAME PASSWORD. From a checkout it is one command, make demo.",
            "Evennia: python -m venv, pip install, evennia --init, evennia migrate, evennia start, which asks for an",
            "account with a password (here given by its environment variables); then connect NAME PASSWORD.",
            "Dependencies: distributions in the environment besides pip and the one that was asked for; the size is",
            "with compiled bytecode. Evennia's bring a web site and an administration, which Perdure does not have.",
        ],
        figures,
    )


if __name__ == "__main__":
    main(measure)
