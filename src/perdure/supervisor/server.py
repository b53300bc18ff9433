"""The supervisor's own loop: what runs, who asks, how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import perdure
from perdure.config import load, parse_address
from perdure.control_lines import CONTROL_SOCKET, EXIT_INTERNAL, EXIT_OK, EXIT_TAKEN
from perdure.errors import PerdureError
from perdure.ports import FaultPoint
from perdure.supervisor.building import Builder
from perdure.supervisor.console import Console
from perdure.supervisor.control_socket import LINK_SOCKET, ControlSocket
from perdure.supervisor.copyover import Copyovers
from perdure.supervisor.events import Event, EventLog, sentence
from perdure.supervisor.history import History
from perdure.supervisor.hosts import Hosts
from perdure.supervisor.instance import Boot, Instance, State, first_of
from perdure.supervisor.methods import Methods
from perdure.supervisor.output import Output
from perdure.supervisor.plain import plain
from perdure.supervisor.processes import Exit, Processes, kill_leftovers
from perdure.supervisor.program_store import ProgramStore
from perdure.supervisor.programs import environment, own_command
from perdure.supervisor.settings import Keeper, Settings
from perdure.supervisor.sockets import Listeners, SocketFolder
from perdure.supervisor.status import greeting
from perdure.supervisor.succession import Means

GATEWAY = "gateway"
GATEWAY_STOP_S = 7.0
"""The gateway says goodbye and waits up to 5 s for its tails to drain."""
HURRY_S = 2.0
LEFTOVER_PATIENCE_S = 2.0
GREET_PATIENCE_S = 5.0

TOLD = {
    "aside": "This part of the world is held after a fault, until an operator has looked at it. "
    "What you type is kept. Type quit to leave.",
    "resumed": "This part of the world goes on.",
    "discarded": "This part of the world begins anew.",
}
"""What players in a room are told of an event that concerns it."""


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
        self._now_utc, self._began_s = now, time.time()
        self._events = EventLog(settings.state, now)
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._now = asyncio.Event()
        self._failure: tuple[int, str] | None = None
        self._telling: set[asyncio.Task[None]] = set()
        self._listeners = Listeners()

    async def run(self) -> int:
        """Serve until a signal or `perdure stop`; returns the exit code."""
        self._take_signals()
        settings = self._settings
        killed = await kill_leftovers(settings.state, patience_s=LEFTOVER_PATIENCE_S)
        if killed:
            self._events.emit("leftovers", pids=killed, note="an earlier server died and left them behind")
        folder = SocketFolder(settings.state)
        try:
            self._listen()
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
            self._events.close()

    def _listen(self) -> None:
        settings, server = self._settings, self._settings.config.server
        self._listeners.open("telnet", parse_address(settings.telnet or server.telnet))
        if web := server.web if settings.web is None else settings.web:
            self._listeners.open("web", parse_address(web))

    async def _serve(self, folder: SocketFolder, link: socket.socket, control: socket.socket) -> int:
        self._processes = processes = Processes()
        settings = self._settings
        (settings.state / "logs").mkdir(mode=0o700, exist_ok=True)
        self._hosts = hosts = Hosts(
            settings, self._keeper, events=self._events, processes=processes, folder=folder, fault=self._fault
        )
        hosts.open()
        self._gateway = self._new_gateway(link)
        self._copyovers = copyovers = self._new_copyovers()
        hosts.handlers.update(copyovers.host_handlers())
        self._methods = Methods(
            settings, self._gateway, hosts, copyovers, self._listeners,
            stopping=self._stopping, order_stop=self._order_stop, order_kill=self._order_kill,
        )  # fmt: skip
        self._events.emit("started", version=perdure.__version__, pid=os.getpid())
        self._events.follow(self._tell_players)
        self._control = ControlSocket({**self._methods.handlers(), **copyovers.handlers()}, self._events)
        await self._control.open(control)
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, copyovers.begin_by_signal)
        gateway = asyncio.create_task(self._gateway.run())
        greeting = asyncio.create_task(self._greet())
        await first_of(self._stopping.wait(), hosts.over.wait(), asyncio.wait([gateway]))
        greeting.cancel()
        await self._stop_all(gateway)
        self._events.emit("stopped")
        await self._control.close()
        return self._farewell()

    def _new_copyovers(self) -> Copyovers:
        settings, emit = self._settings, self._events.emit
        means = Means(
            hosts=self._hosts,
            gateway=self._gateway,
            owner=self._keeper.read,
            events=self._events,
            build=Builder(
                self._processes, settings.state, settings.environ, lambda line: emit("copyover-build", line=line)
            ),
            programs=ProgramStore(settings.state),
            fault=self._fault,
            clock_s=time.monotonic,
            load=lambda: load(settings.config.project),
        )
        history = History(settings.state, lambda reason: emit("copyover-history", reason=reason))
        return Copyovers(means, history, self._now_utc)

    # --- the gateway ---

    def _new_gateway(self, link: socket.socket) -> Instance:
        settings = self._settings
        return Instance(
            GATEWAY,
            settings.commands.get(GATEWAY) or own_command("perdure.gateway"),
            env=environment(settings.environ, GATEWAY, original=True),
            processes=self._processes,
            output=Output(settings.state / "logs" / f"{GATEWAY}.log"),
            events=self._events,
            boot=partial(self._boot_gateway, link),
            handlers={},
            readied=lambda _: None,
            died=self._gateway_died,
        )

    def _boot_gateway(self, link: socket.socket) -> Boot:
        settings, telnet, web = self._settings, self._listeners.fds("telnet"), self._listeners.fds("web")
        self._gateway.build = self._hosts.serving.build.number
        values = {
            "project": str(settings.config.project),
            "state": str(settings.state),
            "log_level": settings.log_level,
            "listeners": {"telnet": telnet, "web": web, "link": link.fileno()},
            "epoch": self._keeper.gateway_epoch(GATEWAY),
            "began_s": self._began_s,
        }
        return Boot(values, (*telnet, *web, link.fileno()))

    async def _gateway_died(self, gateway: Instance, exit: Exit) -> bool:
        """A death that nobody ordered: whether to start again."""
        self._events.emit("sessions-ended", note="all players were disconnected, and may log in again")
        if not gateway.was_ready and 0 < exit.code <= EXIT_TAKEN:
            self._failure = (exit.code, gateway.failure("nothing is served"))
            return False
        return True

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

    async def _stop_all(self, gateway: asyncio.Task[None]) -> None:
        """Gateway first: its players' last events must reach the hosts before those close their journals."""
        self._stopping.set()
        await first_of(self._copyovers.close(), self._hurry.wait())
        hosts_will_answer = any(host.instance.state is State.RUNNING for host in self._hosts.all)
        await self._gateway.stop(GATEWAY_STOP_S if hosts_will_answer else HURRY_S, self._hurry)
        try:
            await self._hosts.close(self._now)
        finally:
            await first_of(asyncio.wait([gateway]), timeout_s=HURRY_S)
            left = await self._processes.kill_descendants()
            if left:
                self._events.emit("stuck", pids=left, note="these processes do not die; the kernel holds them")
            self._gateway.output.close()
        if gateway.done():
            gateway.result()

    def _farewell(self) -> int:
        failure = self._failure or self._hosts.failure
        if failure is None:
            self._console.say("Stopped. All is saved." if not self._now.is_set() else "Stopped in a hurry.")
            return EXIT_OK
        exit, message = failure
        self._console.close()
        print(f"perdure: {message}", file=sys.stderr)  # noqa: T201 - the process ends with this
        return exit or EXIT_INTERNAL

    # --- people ---

    async def _greet(self) -> None:
        host = self._hosts.serving
        for instance in (self._gateway, host.instance):
            while not instance.ready.is_set():
                await first_of(instance.ready.wait(), timeout_s=GREET_PATIENCE_S)
                if not instance.ready.is_set():
                    self._console.say(
                        f"Still waiting for {instance.name}, which is {instance.state}. Why: perdure events"
                    )
        self._gateway.build = self._methods.build = host.build.number  # they began as one program
        settings = self._settings
        for line in greeting(settings.config, settings.state, host.build, self._listeners):
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
            await self._gateway.ask("notice", {"room": room, "text": text})

    def _say_event(self, event: Event) -> None:
        if event["kind"] != "stopped":
            self._console.say(f"{event['at'][11:19]} {sentence(event)}")
