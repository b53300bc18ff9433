"""Starting processes, seeing them end, and leaving none of their descendants behind.

Each child gets a session of its own, so that a key in the terminal does not reach it and its whole group
can be killed. The supervisor is a subreaper: whatever loses its parent becomes its child, so processes
that went into a session of their own are found by walking down from here. Every signal goes to a pidfd
whose process was looked at after the pidfd was opened, or to the group of a child that is not yet reaped:
a number that somebody else may have by now is never signalled (FM-54).
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

BOOT = "PERDURE_BOOT"
"""Environment variable with what a process of a server must know; its descendants inherit it."""

_PR_SET_CHILD_SUBREAPER = 36
_PROC = Path("/proc")


class Exit(NamedTuple):
    """How a process ended: an exit code, or a signal (then `code` is -1)."""

    code: int
    signal: int = 0

    def __str__(self) -> str:
        if not self.signal:
            return f"exited with code {self.code}"
        try:
            return f"killed by {signal.Signals(self.signal).name}"
        except ValueError:
            return f"killed by signal {self.signal}"


class Process:
    """A child of the supervisor.

    Attributes:
        incarnation: Unique among all processes that ever ran with this state folder.
        pid: Valid until `ended`; above 1.
        started_s: On the monotonic clock.
        exit: How it ended; None while it runs.
    """

    def __init__(self, incarnation: str, popen: subprocess.Popen[bytes]) -> None:
        assert popen.pid > 1
        self.incarnation = incarnation
        self.pid = popen.pid
        self.pidfd = os.pidfd_open(popen.pid)
        self.started_s = time.monotonic()
        self.exit: Exit | None = None
        self._ended = asyncio.Event()
        self._popen = popen

    def terminate(self) -> None:
        """Ask the process itself to end."""
        if self.exit is None:
            signal.pidfd_send_signal(self.pidfd, signal.SIGTERM)

    def kill(self) -> None:
        """Kill the process and its group. Until it is reaped the group's number is nobody else's."""
        assert self.pid > 1
        if self.exit is None:
            os.killpg(self.pid, signal.SIGKILL)

    async def wait(self) -> Exit:
        """Until it has ended and is reaped."""
        await self._ended.wait()
        assert self.exit is not None
        return self.exit

    def end(self, exit: Exit) -> None:
        """It was reaped; only the table of processes says so."""
        self.exit = exit
        self._popen.returncode = exit.code if not exit.signal else -exit.signal
        os.close(self.pidfd)
        self._ended.set()


class Processes:
    """All children of this process, those included that nobody here started."""

    def __init__(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
        self._loop = asyncio.get_running_loop()
        self._loop.add_signal_handler(signal.SIGCHLD, self.reap)
        self._children: dict[int, Process] = {}

    def start(
        self,
        incarnation: str,
        command: Sequence[str],
        env: Mapping[str, str],
        fds: Sequence[int],
        output_fd: int,
        *,
        folder: Path | None = None,
    ) -> Process:
        """Start a child with `fds` inherited by number and its stdout and stderr going to `output_fd`.

        Args:
            folder: Where it runs; None for where this process does.

        Raises:
            OSError: It could not be started at all.
        """
        popen = subprocess.Popen(
            command,
            env=env,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output_fd,
            stderr=output_fd,
            pass_fds=fds,
            start_new_session=True,
        )
        try:
            process = Process(incarnation, popen)
        except OSError:  # no descriptor is left for its pidfd: a process that cannot be watched must not run
            popen.kill()
            popen.wait()
            raise
        self._children[process.pid] = process
        self._loop.add_reader(process.pidfd, self.reap)
        return process

    def reap(self) -> None:
        """Take every child that has ended. Ours are only looked at first, to kill their group while it has a name."""
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None:
                return
            process = self._children.pop(found.si_pid, None)
            if process is None:
                os.waitid(os.P_PID, found.si_pid, os.WEXITED)
                continue
            self._loop.remove_reader(process.pidfd)
            process.kill()
            os.waitid(os.P_PID, process.pid, os.WEXITED)
            by_signal = found.si_code != os.CLD_EXITED
            process.end(Exit(-1, found.si_status) if by_signal else Exit(found.si_status))

    async def kill_descendants(self, *, of: str | None = None, deadline_s: float = 3.0) -> list[int]:
        """Kill what is left below this process: everything, or what belongs to one incarnation.

        Returns: pids that are still there after the deadline (stuck in the kernel).
        """

        def chosen() -> list[Seen]:
            below = descendants(os.getpid())
            return below if of is None else [seen for seen in below if _boot_of(seen.pid).get("incarnation") == of]

        return await _kill_until_gone(chosen, self.reap, deadline_s)


class Seen(NamedTuple):
    """A process as /proc showed it; (pid, started) never names another one."""

    pid: int
    parent: int
    state: str
    started: int


def processes() -> Iterator[Seen]:
    """Every process that /proc shows, zombies left out."""
    for entry in os.scandir(_PROC):
        if entry.name.isdigit() and (seen := _look(int(entry.name))) is not None and seen.state not in "ZX":
            yield seen


def descendants(root: int) -> list[Seen]:
    """The living processes below `root`, itself left out."""
    children: dict[int, list[Seen]] = {}
    for seen in processes():
        children.setdefault(seen.parent, []).append(seen)
    found = list(children.get(root, ()))
    for seen in found:
        found += children.get(seen.pid, ())
    return found


async def kill_leftovers(state: Path, *, patience_s: float, deadline_s: float = 3.0) -> list[int]:
    """End the processes that a dead supervisor left on this state folder (FM-53).

    They end themselves when their control channel closes; whoever has not after `patience_s` is killed.

    Returns: pids that had to be killed.
    """

    def left() -> list[Seen]:
        ours = {os.getpid()} | {seen.pid for seen in descendants(os.getpid())}
        return [seen for seen in processes() if seen.pid not in ours and _boot_of(seen.pid).get("state") == str(state)]

    until_s = time.monotonic() + patience_s
    while left() and time.monotonic() < until_s:
        await asyncio.sleep(0.02)
    killed = [seen.pid for seen in left()]
    await _kill_until_gone(left, lambda: None, deadline_s)
    return killed


async def _kill_until_gone(chosen: Callable[[], list[Seen]], reap: Callable[[], None], deadline_s: float) -> list[int]:
    """Kill again and again: a process may have forked after it was looked at."""
    until_s = time.monotonic() + deadline_s
    while True:
        try:
            left = chosen()
            for seen in left:
                _kill(seen)
        except OSError:  # no descriptor is left to look with; a moment later there may be one
            left = None
        if left == [] or time.monotonic() > until_s:
            return [seen.pid for seen in left or ()]
        await asyncio.sleep(0.005)
        reap()


def _kill(seen: Seen) -> None:
    assert seen.pid > 1
    try:
        pidfd = os.pidfd_open(seen.pid)
    except ProcessLookupError:
        return
    try:
        again = _look(seen.pid)
        if again is not None and again.started == seen.started:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it ended by itself
    finally:
        os.close(pidfd)


def _look(pid: int) -> Seen | None:
    try:
        stat = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None  # it ended
    fields = stat.rpartition(")")[2].split()  # the name before it may hold anything
    return Seen(pid, int(fields[1]), fields[0], int(fields[19]))


def _boot_of(pid: int) -> dict[str, object]:
    """What a process of some server was started with; empty for any other process."""
    try:
        environ = (_PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return {}  # it ended, or is somebody else's
    for entry in environ.split(b"\0"):
        if entry.startswith(BOOT.encode() + b"="):
            try:
                return msgspec.json.decode(entry.partition(b"=")[2], type=dict[str, object])
            except msgspec.DecodeError:
                return {}
    return {}
