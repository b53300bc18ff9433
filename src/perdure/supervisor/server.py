"""The supervisor's own loop: what runs, who asks, how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import msgspec

import perdure
from perdure.config import Config, parse_address
from perdure.control import Handler
from perdure.control_lines import EXIT_INTERNAL, EXIT_OK, EXIT_TAKEN
from perdure.errors import PerdureError, StorageError
from perdure.ports import Aside, FaultPoint
from perdure.supervisor.build import Build, current_build
from perdure.supervisor.console import Console
from perdure.supervisor.control_socket import (
    CONTROL_SOCKET,
    GATEWAY_METHODS,
    HOST_METHODS,
    LINK_SOCKET,
    PATIENCE_S,
    ControlSocket,
)
from perdure.supervisor.deaths import DeathWatch, aside_of
from perdure.supervisor.events import Event, EventLog, sentence
from perdure.supervisor.instance import Boot, Instance, State, first_of
from perdure.supervisor.output import Output
from perdure.supervisor.plain import plain
from perdure.supervisor.processes import Exit, Processes, kill_leftovers
from perdure.supervisor.sockets import Listeners, SocketFolder
from perdure.supervisor.status import NOT_RUNNING, greeting, measured, status

GATEWAY = "gateway"
HOST = "host-1"
GATEWAY_STOP_S = 7.0
"""The gateway says goodbye and waits up to 5 s for its tails to drain."""
HOST_STOP_S = 20.0
"""Longest wait for the bases of a clean stop; without them the next start reads the journal instead."""
HURRY_S = 2.0
SLOT_LOOK_S = 0.25
LEFTOVER_PATIENCE_S = 2.0
STATUS_TIMEOUT_S = 1.0
ANSWER_TIMEOUT_S = 10.0
GREET_PATIENCE_S = 5.0
TAIL_LINES_MAX = 40


class Keeper(Protocol):
    """The two facts that a supervisor writes down; `store.owners.SqliteOwners` is one."""

    def gateway_epoch(self, name: str) -> int:
        """A number higher than ever before for this gateway."""
        ...

    def put(self, aside: Aside) -> None: ...


TOLD = {
    "aside": "This part of the world is held after a fault, until an operator has looked at it. "
    "What you type is kept. Type quit to leave.",
    "resumed": "This part of the world goes on.",
    "discarded": "This part of the world begins anew.",
}
"""What players in a room are told of an event that concerns it."""


class Settings(msgspec.Struct, frozen=True):
    """What a supervisor is started with.

    Attributes:
        config: The project's configuration.
        state: The state folder; its lock is held.
        telnet: HOST:PORT instead of the configuration's.
        log_level: For the gateway and the hosts.
        commands: By instance name, what to run.
        environ: The environment of all processes.
    """

    config: Config
    state: Path
    commands: Mapping[str, Sequence[str]]
    environ: Mapping[str, str]
    telnet: str = ""
    log_level: str = "info"


def default_commands() -> dict[str, list[str]]:
    """The processes of a server, run by the interpreter that runs this."""
    return {name: [sys.executable, "-P", "-m", f"perdure.{name.partition('-')[0]}"] for name in (GATEWAY, HOST)}


class Supervisor:
    """A server from its start to its end; `run` is called once.

    Args:
        keeper: Opened by whoever holds the state folder's lock.
        now: The wall clock, as ISO 8601 text.
    """

    def __init__(
        self, settings: Settings, keeper: Keeper, console: Console, now: Callable[[], str], fault: FaultPoint
    ) -> None:
        self._settings, self._keeper, self._console, self._fault = settings, keeper, console, fault
        self._events = EventLog(settings.state, now)
        self._started_s = time.monotonic()
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._now = asyncio.Event()
        self._failure: tuple[int, str] | None = None
        self._instances: dict[str, Instance] = {}
        self._telling: set[asyncio.Task[None]] = set()
        self._listeners = Listeners()
        self._watch = DeathWatch()
        self._build = self._newest_build()
        self._own_build = self._build.number

    async def run(self) -> int:
        """Serve until a signal or `perdure stop`; returns the exit code."""
        self._take_signals()
        settings = self._settings
        killed = await kill_leftovers(settings.state, patience_s=LEFTOVER_PATIENCE_S)
        if killed:
            self._events.emit("leftovers", pids=killed, note="an earlier server died and left them behind")
        folder = SocketFolder(settings.state)
        try:
            self._listeners.open(parse_address(settings.telnet or settings.config.server.telnet))
            link, control = folder.listen(LINK_SOCKET), folder.listen(CONTROL_SOCKET)
            try:
                return await self._serve(folder, link, control)
            finally:
                link.close()
                control.close()
                folder.remove(LINK_SOCKET)
                folder.remove(CONTROL_SOCKET)
        finally:
            self._listeners.close()
            folder.close()
            self._watch.close()
            self._events.close()

    async def _serve(self, folder: SocketFolder, link: socket.socket, control: socket.socket) -> int:
        self._processes = Processes()
        (self._settings.state / "logs").mkdir(mode=0o700, exist_ok=True)
        self._add(GATEWAY, partial(self._boot_gateway, link))
        self._add(HOST, partial(self._boot_host, folder))
        self._events.emit("started", version=perdure.__version__, pid=os.getpid())
        self._events.follow(self._tell_players)
        self._control = ControlSocket(self._handlers(), self._events)
        await self._control.open(control)
        running = [asyncio.create_task(instance.run()) for instance in self._instances.values()]
        watching = asyncio.create_task(self._watch_slot())
        greeting = asyncio.create_task(self._greet())
        await first_of(self._stopping.wait(), self._any_ended(running))
        greeting.cancel()
        await self._stop_all(running)
        watching.cancel()
        for task in running:
            task.result()
        self._events.emit("stopped")
        await self._control.close()
        return self._farewell()

    # --- the processes ---

    def _add(self, name: str, boot: Callable[[], Boot]) -> None:
        self._instances[name] = Instance(
            name,
            self._settings.commands[name],
            env=self._settings.environ,
            processes=self._processes,
            output=Output(self._settings.state / "logs" / f"{name}.log"),
            events=self._events,
            boot=boot,
            died=self._died,
        )

    def _boot_gateway(self, link: socket.socket) -> Boot:
        telnet = self._listeners.fds()
        listeners = {"telnet": telnet, "link": link.fileno()}
        epoch = self._keeper.gateway_epoch(GATEWAY)
        return Boot({**self._common(GATEWAY), "listeners": listeners, "epoch": epoch}, (*telnet, link.fileno()))

    def _boot_host(self, folder: SocketFolder) -> Boot:
        values = {**self._common(HOST), "link_path": folder.address(LINK_SOCKET), "slot_fd": self._watch.fd}
        return Boot(values, (self._watch.fd, folder.fd))

    def _common(self, name: str) -> dict[str, Any]:
        self._build = self._newest_build()
        self._instances[name].build = self._build.number
        return {
            "project": str(self._settings.config.project),
            "state": str(self._settings.state),
            "log_level": self._settings.log_level,
        }

    def _newest_build(self) -> Build:
        config = self._settings.config
        return current_build(self._settings.state, [config.game_path(game) for game in config.games])

    async def _died(self, instance: Instance, exit: Exit) -> bool:
        """A death that nobody ordered: whether to start again."""
        if instance.name == HOST:
            self._fault("supervisor:host-died")
            self._count_death(exit)
        else:
            self._events.emit("sessions-ended", note="all players were disconnected, and may log in again")
        if not instance.was_ready and 0 < exit.code <= EXIT_TAKEN:
            self._failure = (exit.code, self._explain(instance, exit))
            return False
        return True

    def _count_death(self, exit: Exit) -> None:
        executing, twice = self._watch.died()
        if executing is None:
            return
        aside = aside_of(executing, str(exit), time.time_ns() // 1000)
        if twice:
            self._put_aside(aside)
        else:
            fields = {
                key: value for key, value in msgspec.structs.asdict(aside).items() if key not in ("reason", "since_us")
            }
            self._events.emit("died-executing", **fields, how=str(exit))

    def _put_aside(self, aside: Aside) -> None:
        try:
            self._keeper.put(aside)
        except StorageError as error:
            self._events.emit("aside-failed", room=aside.room, message=str(error))
        else:
            self._events.emit("aside", **msgspec.structs.asdict(aside))

    def _explain(self, instance: Instance, exit: Exit) -> str:
        lines = instance.output.tail().strip().splitlines()[-TAIL_LINES_MAX:]
        said = "\n".join(lines) or f"It said nothing; its log is {instance.output.path}"
        return f"{instance.name} {exit} before it was ready, so nothing is served.\n{said}"

    async def _watch_slot(self) -> None:
        host = self._instances[HOST]
        while True:
            await asyncio.sleep(SLOT_LOOK_S)
            executing = self._watch.overdue()
            if executing is not None and host.state is not State.STOPPING:
                host.kill(f"callback {executing.c} of room {executing.room} exceeded its budget and could not be cut")

    # --- the end ---

    def _take_signals(self) -> None:
        """A handler for each signal that must not end or stop a supervisor; children start with the defaults."""
        loop = asyncio.get_running_loop()
        for order in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(order, self._order_stop, order.name)
        for harmless in (signal.SIGHUP, signal.SIGTSTP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT):
            loop.add_signal_handler(harmless, lambda: None)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # a handler would make each write to the terminal fail

    def _order_stop(self, reason: str) -> None:
        """Begin to stop; a second order hurries, a third one kills."""
        if not self._stopping.is_set():
            self._events.emit("stopping", reason=reason)
            self._stopping.set()
        elif not self._hurry.is_set():
            self._hurry.set()
            asyncio.get_running_loop().call_later(HURRY_S, self._now.set)
        else:
            self._now.set()

    def _order_kill(self) -> None:
        for order in (self._stopping, self._hurry, self._now):
            order.set()

    async def _any_ended(self, running: Sequence[asyncio.Task[None]]) -> None:
        """Until an instance gives up: it was refused at the first start, or has a bug."""
        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)

    async def _stop_all(self, running: Sequence[asyncio.Task[None]]) -> None:
        """Gateway first: its players' last events must reach the hosts before those close their journals."""
        self._stopping.set()
        gateway, host = self._instances[GATEWAY], self._instances[HOST]
        host_will_answer = host.state is State.RUNNING
        await gateway.stop(GATEWAY_STOP_S if host_will_answer else HURRY_S, self._hurry)
        await host.stop(HOST_STOP_S, self._now)
        self._watch.stopped()
        await first_of(asyncio.wait(running), timeout_s=HURRY_S)
        left = await self._processes.kill_descendants()
        if left:
            self._events.emit("stuck", pids=left, note="these processes do not die; the kernel holds them")
        for instance in self._instances.values():
            instance.output.close()

    def _farewell(self) -> int:
        if self._failure is None:
            self._console.say("Stopped. All is saved." if not self._now.is_set() else "Stopped in a hurry.")
            return EXIT_OK
        exit, message = self._failure
        self._console.close()
        print(f"perdure: {message}", file=sys.stderr)  # noqa: T201 - the process ends with this
        return exit or EXIT_INTERNAL

    # --- people ---

    async def _greet(self) -> None:
        for instance in self._instances.values():
            while not instance.ready.is_set():
                await first_of(instance.ready.wait(), timeout_s=GREET_PATIENCE_S)
                if not instance.ready.is_set():
                    self._console.say(
                        f"Still waiting for {instance.name}, which is {instance.state}. Why: perdure events"
                    )
        settings = self._settings
        for line in greeting(settings.config, settings.state, self._build, self._listeners):
            self._console.say(plain(line))
        self._events.follow(self._say_event)

    def _tell_players(self, event: Event) -> None:
        """Players in a room that an operator must look at read so, and when it is over."""
        text = TOLD.get(event["kind"])
        if text is not None:
            telling = asyncio.create_task(self._tell(event["room"], text))
            self._telling.add(telling)
            telling.add_done_callback(self._telling.discard)

    async def _tell(self, room: str, text: str) -> None:
        with suppress(PerdureError):  # a gateway that is not there has no players to tell
            await self._instances[GATEWAY].ask("notice", {"room": room, "text": text})

    def _say_event(self, event: Event) -> None:
        if event["kind"] != "stopped":
            self._console.say(f"{event['at'][11:19]} {sentence(event)}")

    # --- the control socket ---

    def _handlers(self) -> dict[str, Handler]:
        return {
            "version": self._version,
            "status": self._status,
            "stop": self._stop,
            "log-level": self._log_level,
            **{method: partial(self._forward, HOST, method) for method in HOST_METHODS},
            **{method: partial(self._forward, GATEWAY, method) for method in GATEWAY_METHODS},
        }

    async def _forward(self, name: str, method: str, params: dict[str, Any]) -> Any:
        return await self._instances[name].ask(method, params, timeout_s=PATIENCE_S.get(method, ANSWER_TIMEOUT_S))

    async def _version(self, _: dict[str, Any]) -> Any:
        return {"version": perdure.__version__, "build": msgspec.structs.asdict(self._build)}

    async def _stop(self, params: dict[str, Any]) -> Any:
        if params.get("now"):
            self._order_kill()
        else:
            self._order_stop("perdure stop")
        return {"stopping": True}

    async def _log_level(self, params: dict[str, Any]) -> Any:
        names = list(self._instances)
        answers = await asyncio.gather(*(self._instances[name].ask("log-level", params) for name in names))
        return dict(zip(names, answers, strict=True))

    async def _status(self, _: dict[str, Any]) -> Any:
        host = await self._host_status()
        own = {"state": "stopping" if self._stopping.is_set() else "running", "build": self._own_build}
        return status(
            self._settings.config,
            self._settings.state,
            self._build,
            self._listeners,
            self._started_s,
            [
                {"name": "supervisor", **own, **measured(os.getpid(), self._started_s)},
                *map(_instance_status, self._instances.values()),
            ],
            host.get("last_recovery"),
        )

    async def _host_status(self) -> dict[str, Any]:
        """What the host knows of itself; nothing while it is away: then the processes' part says so."""
        try:
            answer = await self._instances[HOST].ask("status", timeout_s=STATUS_TIMEOUT_S)
        except PerdureError:
            return {}
        return answer if isinstance(answer, dict) else {}


def _instance_status(instance: Instance) -> dict[str, Any]:
    process = instance.process
    alive = process is not None and process.exit is None
    kernel = measured(process.pid, process.started_s) if process is not None and alive else NOT_RUNNING
    return {"name": instance.name, "state": str(instance.state), "build": instance.build, **kernel}
