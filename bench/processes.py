"""Servers for measurements: started here, ended here, by their own process ids."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from perdure.cli.client import Client
from perdure.errors import Unavailable
from perdure.link.messages import FrameReader, GatewayHello, HostHello, Message, RoomUp, encode_frame
from perdure.slot import Slot
from perdure.store.files import StateDir
from perdure.supervisor.control_socket import LINK_SOCKET

START_S = 120.0
STOP_S = 60.0
PERDURE = [sys.executable, "-c", "from perdure.cli import main; main()"]
"""The command line in this interpreter, wherever its script is installed."""


class Cpu:
    """The processor time of processes between two looks."""

    def __init__(self, pids: dict[str, int]) -> None:
        self._processes = {name: psutil.Process(pid) for name, pid in pids.items()}
        self._before = self._seconds()
        self._at_s = time.monotonic()

    def shares(self) -> dict[str, float]:
        """Name -> share of one core, since the start."""
        passed_s = time.monotonic() - self._at_s
        return {name: (after - self._before[name]) / passed_s for name, after in self._seconds().items()}

    def _seconds(self) -> dict[str, float]:
        times = {name: process.cpu_times() for name, process in self._processes.items()}
        return {name: spent.user + spent.system for name, spent in times.items()}


class Server:
    """A whole server under `perdure run`."""

    def __init__(self, state: Path, process: subprocess.Popen[bytes]) -> None:
        self.state, self.process = state, process

    def status(self) -> dict[str, Any]:
        """What `perdure status` says."""
        with Client(self.state) as client:
            answer: dict[str, Any] = client.request("status")
        return answer

    @property
    def port(self) -> int:
        """Where players connect."""
        return int(self.status()["listening"]["telnet"][0][1])

    @property
    def web_port(self) -> int:
        """Where pages connect."""
        return int(self.status()["listening"]["web"][0][1])

    def pids(self) -> dict[str, int]:
        """supervisor, gateway and host -> pid."""
        found = {"supervisor": self.process.pid}
        for process in self.status()["processes"]:
            role = str(process.get("name", "")).partition("-")[0]
            if role in ("gateway", "host") and process["pid"]:
                found[role] = int(process["pid"])
        return found

    def rss_mib(self) -> dict[str, float]:
        """Resident memory of each process."""
        return {name: psutil.Process(pid).memory_info().rss / 2**20 for name, pid in self.pids().items()}

    def kill_host(self) -> float:
        """kill -9 of the host; the monotonic time of it."""
        pid = self.pids()["host"]
        assert pid > 1
        assert psutil.Process(pid).ppid() == self.process.pid, "not this server's host"
        at_s = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        return at_s


@contextlib.contextmanager
def server(project: Path) -> Iterator[Server]:
    """A server of the project; it serves when the block begins, and is gone when it ends."""
    state = project / "state"
    process = subprocess.Popen(
        [*PERDURE, "run", str(project), "--state", str(state), "--log-level", "error"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        running = Server(state, process)
        _wait_serving(running)
        yield running
    finally:
        end(process)


def _wait_serving(running: Server) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if running.process.poll() is not None:
            raise RuntimeError(f"the server ended with exit code {running.process.returncode}")
        with contextlib.suppress(Unavailable):
            status = running.status()
            names = {process["name"] for process in status["processes"] if process["pid"]}
            if status["last_recovery"] is not None and len(names) >= 2:
                return
        time.sleep(0.05)
    raise RuntimeError(f"the server did not serve within {START_S:g} s")


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process that was started here, and all that it started."""
    if process.poll() is not None:
        return
    assert process.pid > 1
    family = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for child in family:
        assert child.pid > 1
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()  # psutil makes sure that the pid was not given to another process meanwhile


class LoneHost:
    """One host process without supervisor and gateway: the measurement speaks the link's frames to it.

    Attributes:
        epochs: Room -> epoch, as announced.
    """

    def __init__(self, process: subprocess.Popen[bytes], link: socket.socket, control: socket.socket) -> None:
        self.process, self._link, self._control = process, link, control
        self._lines = control.makefile("rwb")
        self._frames = FrameReader()
        self.epochs: dict[str, int] = {}
        self._asked = 0

    def send(self, messages: list[Message]) -> None:
        """Say these in one frame."""
        self._link.sendall(encode_frame(messages))

    def receive(self) -> list[Message]:
        """What the host said; waits for something. Rooms that it announces are noted."""
        while True:
            data = self._link.recv(1 << 18)
            if not data:
                raise RuntimeError("the host closed its link")
            messages = self._frames.feed(data)
            for message in messages:
                if type(message) is RoomUp:
                    self.epochs[message.room] = message.epoch
            if messages:
                return messages

    def ask(self, method: str) -> Any:
        """A control method's result; what the host notifies meanwhile is passed over."""
        self._asked += 1
        line = json.dumps({"id": self._asked, "method": method, "params": {}})
        self._lines.write(line.encode() + b"\n")
        self._lines.flush()
        for answer in map(json.loads, self._lines):
            if answer.get("id") == self._asked:
                return answer["result"]
        raise RuntimeError("the host closed its control channel")

    def wait_event(self, kind: str) -> None:
        """Wait until the host has notified an event of this kind."""
        for line in map(json.loads, self._lines):
            if line.get("event", {}).get("kind") == kind:
                return
        raise RuntimeError(f"the host ended before it said {kind!r}")


@contextlib.contextmanager
def lone_host(project: Path, rooms: int) -> Iterator[LoneHost]:
    """A host that has announced all its rooms to the gateway "gateway" of epoch 1, which is the caller."""
    state = StateDir.open(project / "state")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(state.path / LINK_SOCKET))
    listener.listen(1)
    listener.settimeout(START_S)
    ours, theirs = socket.socketpair()
    slot_fd = Slot.create()
    boot = {
        "project": str(project), "state": str(state.path), "name": "host-1", "control_fd": theirs.fileno(),
        "link_path": str(state.path / LINK_SOCKET), "slot_fd": slot_fd, "incarnation": f"host-{secrets.token_hex(4)}",
        "log_level": "error",
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "perdure.host"],
        env=os.environ | {"PERDURE_BOOT": json.dumps(boot)},
        pass_fds=(theirs.fileno(), slot_fd),
        stdin=subprocess.DEVNULL,
    )
    theirs.close()
    os.close(slot_fd)
    try:
        link, _ = listener.accept()
        link.settimeout(START_S)
        ours.settimeout(START_S)
        host = LoneHost(process, link, ours)
        host.wait_event("ready")
        host.send([GatewayHello(1, 1, "gateway", 1)])
        while len(host.epochs) < rooms:
            assert all(isinstance(message, HostHello | RoomUp) for message in host.receive())
        yield host
    finally:
        process.kill()  # what a lone host leaves behind goes with the project's folder
        process.wait()
        for sock in (ours, listener):
            sock.close()
        state.close()
