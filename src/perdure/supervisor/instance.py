"""One supervised process over all its incarnations: start, watch, restart, stop."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import ExitStack, suppress
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from perdure.control import Channel, Handler, open_channel_fd
from perdure.control_lines import NO_SERVER, no_server
from perdure.errors import PerdureError, ProtocolError, StorageError, Unavailable
from perdure.supervisor.backoff import Backoff
from perdure.supervisor.events import EventLog
from perdure.supervisor.output import Output
from perdure.supervisor.plain import plain
from perdure.supervisor.processes import BOOT, Exit, Process, Processes

PULSE_S = 2.0
"""A running process is asked for its status this often; one that is only starting must use the CPU meanwhile."""
PULSES_MISSED_MAX = 5
"""Pulses in a row without a sign of life before the process is killed (FM-40)."""
RESET_AFTER_S = 30.0
"""A process that was ready this long has its next death counted as a first one."""
TAIL_LINES_MAX = 40
TRACEBACK = "Traceback (most recent call last)"
TERM_S = 1.0
EXIT_S = 2.0


class State(StrEnum):
    """Where an instance is between two orders."""

    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Boot(NamedTuple):
    """What a new incarnation gets: the boot document's values, and the descriptors it names."""

    values: dict[str, Any]
    fds: tuple[int, ...]


class Instance:
    """A process that is kept running until it is ordered to stop.

    Args:
        name: ``gateway`` or ``host-N``.
        command: What to run; the boot document is in its environment.
        env: Its environment otherwise; PERDURE_FAULT is for the first incarnation only.
        boot: Makes the boot document of the next incarnation.
        handlers: What the process may ask, by method name; may be filled later.
        readied: Called with what the process says when it is ready; a ProtocolError refuses it.
        died: Awaited after a death that nobody ordered; whether there is to be a next start.

    Attributes:
        state: See State.
        process: The newest incarnation, None before the first.
        build: Number of the build that the newest incarnation is; 0 while that is not known.
        was_ready: Whether any incarnation ever got ready.
        how: How the newest incarnation ended, or why there is none; "" while it runs.
        last: Why it was killed, or else the last line that it had written when it ended.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        processes: Processes,
        output: Output,
        events: EventLog,
        boot: Callable[[], Boot],
        handlers: Mapping[str, Handler],
        readied: Callable[[dict[str, Any]], None],
        died: Callable[[Instance, Exit], Awaitable[bool]],
    ) -> None:
        self.name, self.command = name, command
        self._env = dict(env)
        self._processes, self.output, self._events = processes, output, events
        self._boot, self._handlers, self._readied, self._died = boot, handlers, readied, died
        self._backoff = Backoff()
        self._channel: Channel | None = None
        self._ordered = asyncio.Event()
        self._ready_s: float | None = None
        self.state = State.STARTING
        self.process: Process | None = None
        self.build = 0
        self.was_ready = False
        self.how = self.last = self._killed_for = ""
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Start, and start again, until `stop`."""
        while not self._ordered.is_set():
            exit = await self._live()
            if self._ordered.is_set():
                break
            if not await self._died(self, exit):
                break
            await self._rest()
        self.state = State.STOPPED

    async def ask(self, method: str, params: dict[str, Any] | None = None, *, timeout_s: float = 10.0) -> Any:
        """Forward a request to the process.

        Raises:
            RemoteError: It refused.
            Unavailable: It is not there, or did not answer in time.
        """
        if self._channel is None or self.state is not State.RUNNING:
            raise no_server(f"{self.name} is {self._situation()}; its players wait and lose nothing. Try again soon.")
        return await self._channel.request(method, params, timeout_s=timeout_s)

    async def stop(self, deadline_s: float, hurry: asyncio.Event) -> None:
        """Order the process to end, and see to it that it does; `hurry` ends the patience at once.

        Whoever does not end is killed with its group. After this no incarnation is ever started again (FM-58).
        """
        was_running = self.state is State.RUNNING
        self._ordered.set()
        self.state = State.STOPPING
        process = self.process
        if process is None or process.exit is not None:
            return
        if was_running and self._channel is not None:
            await first_of(self._ask_to_stop(self._channel, deadline_s), hurry.wait())
            await first_of(process.wait(), hurry.wait(), timeout_s=EXIT_S)
        else:
            process.terminate()
            await first_of(process.wait(), hurry.wait(), timeout_s=TERM_S)
        self.kill("there was no time to end in order" if hurry.is_set() else "it did not end when it was told to")
        await first_of(process.wait(), timeout_s=EXIT_S)

    def kill(self, reason: str) -> None:
        """Kill the running incarnation and its group; nothing when there is none."""
        if self.process is not None and self.process.exit is None:
            self._killed_for = reason
            self._events.emit("killed", name=self.name, pid=self.process.pid, reason=reason)
            self.process.kill()

    def failure(self, so: str, *, brief: bool = False) -> str:
        """Why it never got ready, `so` what, and the last that it wrote.

        Args:
            brief: Of a traceback only the error.
        """
        lines = self.output.tail().strip().splitlines()[-TAIL_LINES_MAX:]
        if brief and any(line.startswith(TRACEBACK) for line in lines):
            lines = lines[-1:]
        said = "\n".join(map(plain, lines)) or "It said nothing."
        how = " ".join(filter(None, [self.how or "took too long", f"({self._killed_for})" if self._killed_for else ""]))
        return f"{self.name} {how} before it was ready, so {so}.\n{said}"

    async def _live(self) -> Exit:
        """One incarnation, from its start to its end; nothing of it is left afterwards."""
        self.state, self._ready_s, self.how, self._killed_for = State.STARTING, None, "", ""
        incarnation = f"{self.name.partition('-')[0]}-{secrets.token_hex(8)}"
        with ExitStack() as opened:
            try:
                process = self._start(incarnation, opened)
            except (OSError, StorageError) as error:
                self.how = f"could not be started: {error}"
                self._events.emit("exited", name=self.name, how=self.how, ordered=False)
                return Exit(127)
            control_fd = self._ours.detach()
        self.process = process
        self._events.emit("starting", name=self.name, pid=process.pid, **self._known_build())
        await self._accompany(process, control_fd)
        await self._processes.kill_descendants(of=incarnation)
        return await process.wait()

    def _start(self, incarnation: str, opened: ExitStack) -> Process:
        """Start the process; `opened` closes what only it needs, and all of it when it cannot be started."""
        boot = self._boot()
        self._ours, theirs = socket.socketpair()
        opened.enter_context(self._ours)
        opened.enter_context(theirs)
        output_fd = self.output.open_pipe()
        opened.callback(os.close, output_fd)
        values = {**boot.values, "name": self.name, "incarnation": incarnation, "control_fd": theirs.fileno()}
        env = {**self._env, BOOT: msgspec.json.encode(values).decode(), "PYTHONUNBUFFERED": "1"}
        process = self._processes.start(incarnation, self.command, env, (*boot.fds, theirs.fileno()), output_fd)
        self._env.pop("PERDURE_FAULT", None)
        return process

    async def _accompany(self, process: Process, control_fd: int) -> None:
        self._channel = channel = await open_channel_fd(control_fd, self._handlers, self._notified)
        tasks = [asyncio.create_task(work) for work in (self._serve(channel), self._feel_pulse(process, channel))]
        self.how = str(await process.wait())
        ordered = self._ordered.is_set()
        last = plain(self.output.tail().strip().rpartition("\n")[2])[:300]
        self.last = self._killed_for or last
        self._channel = None
        channel.close()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        self._events.emit(
            "exited",
            name=self.name,
            pid=process.pid,
            how=self.how,
            ordered=ordered,
            **({"last": last} if last else {}),
        )

    async def _serve(self, channel: Channel) -> None:
        reason = "its control channel is closed"
        try:
            await channel.serve()
        except ProtocolError as error:
            reason = f"it broke the control protocol: {error}"
        await asyncio.sleep(EXIT_S)  # a process whose channel closed ends itself; cancelled when it does
        self.kill(reason)

    async def _feel_pulse(self, process: Process, channel: Channel) -> None:
        missed, cpu = 0, -1
        while missed < PULSES_MISSED_MAX:
            before, cpu = cpu, cpu_ticks(process.pid)
            if self.state is State.RUNNING:
                alive = await self._answers(channel)
            else:
                alive = cpu != before
            missed = 0 if alive else missed + 1
            await asyncio.sleep(PULSE_S if alive or self.state is not State.RUNNING else 0)
            if self._ready_s is not None and time.monotonic() - self._ready_s > RESET_AFTER_S:
                self._backoff.reset()
        if not self._ordered.is_set():
            self.kill(f"it showed no sign of life for {PULSES_MISSED_MAX * PULSE_S:g} s")

    async def _answers(self, channel: Channel) -> bool:
        try:
            await channel.request("status", timeout_s=PULSE_S)
        except Unavailable as error:
            return error.op == NO_SERVER  # a channel that is over is `_serve`'s to judge
        except PerdureError:
            return True  # an error is an answer
        return True

    def _notified(self, event: dict[str, Any]) -> None:
        kind = str(event.get("kind", ""))
        fields = {key: value for key, value in event.items() if key not in ("kind", "name")}
        if kind == "durable":
            self._backoff.reset()
            return
        if kind == "ready" and self.state is State.STARTING:
            self._readied(fields)
            assert self.process is not None
            fields |= {"pid": self.process.pid, **self._known_build()}
            self.state, self.was_ready, self._ready_s = State.RUNNING, True, time.monotonic()
            self.ready.set()
        self._events.emit(kind or "unnamed", name=self.name, **fields)

    def _known_build(self) -> dict[str, int]:
        """A host that was never ready has not said what it is."""
        return {"build": self.build} if self.build else {}

    async def _rest(self) -> None:
        """Wait as long as the backoff says, or until the order to stop."""
        delay_s = self._backoff.next_delay_s()
        if self._ordered.is_set():
            return
        self.state = State.RESTARTING
        when = f"in {delay_s:g} s" if delay_s else "at once"
        self._events.emit("restarting", name=self.name, delay_s=delay_s, attempt=self._backoff.attempts, when=when)
        if delay_s:
            await first_of(self._ordered.wait(), timeout_s=delay_s)

    async def _ask_to_stop(self, channel: Channel, deadline_s: float) -> None:
        try:
            await channel.request("stop", timeout_s=deadline_s)
        except PerdureError as error:
            self._events.emit("stop-failed", name=self.name, message=str(error))

    def _situation(self) -> str:
        if self.state is State.RESTARTING:
            return f"being restarted (it {self.how}; attempt {self._backoff.attempts})"
        return str(self.state)


async def first_of(*works: Coroutine[Any, Any, Any], timeout_s: float | None = None) -> None:
    """Wait until one is done or the time is over; the others are cancelled."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.result()


def cpu_ticks(pid: int) -> int:
    """Clock ticks of CPU that a process has used; 0 when it is gone."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])
    return 0
