"""``perdure dev``: gateway and host in one process and one event loop, for authors.

The same code as in the processes of `perdure run`, wired by the same sockets: a real link, a real journal,
the same rules. What differs: nobody restarts anything; `print` goes to the terminal; `breakpoint()` stops
the world and lifts the budget of the callback it is in. State is shared with `perdure run`, so a crash here
is recovered there.
"""

from __future__ import annotations

import asyncio
import os
import pdb
import secrets
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import structlog

import perdure
from perdure import logs
from perdure.config import Config, parse_address
from perdure.control import Handler
from perdure.control_lines import CONTROL_SOCKET
from perdure.errors import ContractError
from perdure.faults import Faults
from perdure.gateway.control import methods as gateway_methods
from perdure.gateway.desk import Hasher
from perdure.gateway.gateway import Gateway
from perdure.host.control import methods as host_methods
from perdure.host.guard import SignalGuard
from perdure.host.process import HostProcess, said_of_this_program
from perdure.slot import Slot
from perdure.store.accounts import SqlAccounts
from perdure.store.files import StateDir
from perdure.store.owners import SqliteOwners
from perdure.store.passwords import hash_password, verify_password
from perdure.supervisor.build import Build, number_of
from perdure.supervisor.control_socket import LINK_SOCKET, ControlSocket
from perdure.supervisor.events import Event, EventLog, sentence, utc_now
from perdure.supervisor.plain import plain
from perdure.supervisor.sockets import Listeners, SocketFolder
from perdure.supervisor.status import greeting, measured, status

ALONE = "This server is one process (perdure dev): it has no second host. Start it with `perdure run` for that."
NEED_A_SUPERVISOR = ("copyover", "copyover.status", "copyover.cancel", "copyover.history", "host.start", "host.stop",
                     "room.move")  # fmt: skip

GATEWAY, HOST = "gateway", "host-1"
"""Names as under `perdure run`. The gateway's sessions of before are told gone by the epoch."""


class Dev:
    """A whole server in this process.

    Args:
        config: The project.
        state: Opened by the caller; its lock is held.
        telnet: HOST:PORT instead of the configuration's; "" = as it says.
        web: The same for the web page, where "" = none, and None = as the configuration says.
        now: The wall clock, as ISO 8601 text.
        say: Takes lines for the author's terminal.
    """

    def __init__(
        self,
        config: Config,
        state: StateDir,
        telnet: str,
        web: str | None,
        now: Callable[[], str],
        say: Callable[[str], None],
    ) -> None:
        self._config, self._state, self._say = _watching(config), state, say
        self._telnet = telnet or config.server.telnet
        self._web = config.server.web if web is None else web
        self._events = EventLog(state.path, now)
        source = said_of_this_program(config, None)["source"]
        self._build = Build(number_of(state.path, source), source)
        self._listeners = Listeners()
        self._started_s = time.monotonic()
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Serve until Ctrl-C, SIGTERM or `perdure stop`; saves at the end."""
        folder = SocketFolder(self._state.path)
        try:
            self._listeners.open("telnet", parse_address(self._telnet))
            if self._web:
                self._listeners.open("web", parse_address(self._web))
            await self._serve(folder)
        finally:
            self._listeners.close()
            folder.remove(LINK_SOCKET)
            folder.remove(CONTROL_SOCKET)
            folder.close()
            self._events.close()

    async def _serve(self, folder: SocketFolder) -> None:
        loop = asyncio.get_running_loop()
        for order in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(order, self._stopping.set)
        loop.add_signal_handler(signal.SIGUSR1, self._refuse_copyover)
        faults = Faults(os.environ.get("PERDURE_FAULT", ""))
        link, control = folder.listen(LINK_SOCKET), folder.listen(CONTROL_SOCKET)
        host = HostProcess(
            self._config,
            self._state,
            incarnation=f"host-{secrets.token_hex(8)}",
            loop=loop,
            guard=SignalGuard(),
            slot=Slot(Slot.create()),
            fault=faults,
            link_path=folder.address(LINK_SOCKET),
            notify=partial(self._notify, HOST),
            stop=self._fail,
            ask=_nobody_to_ask,
        )
        gateway = Gateway(
            self._config,
            SqlAccounts(self._state.accounts_file),
            Hasher(hash_password, verify_password),
            loop=loop,
            listeners=list(self._listeners.telnet),
            web=list(self._listeners.web),
            link=link,
            name=GATEWAY,
            epoch=SqliteOwners(self._state.owners_file).gateway_epoch(GATEWAY),
            emit=partial(self._notify, GATEWAY),
            fault=faults,
        )
        asking = ControlSocket(self._handlers(gateway, host), self._events)
        await asking.open(control)
        gateway.start()
        await host.start()
        self._events.emit("started", version=perdure.__version__, pid=os.getpid(), mode="dev")
        for line in greeting(self._config, self._state.path, self._build, self._listeners):
            self._say(plain(line))
        await self._stopping.wait()
        self._events.emit("stopping", reason="dev")
        await gateway.stop()
        await host.close()
        self._events.emit("stopped")
        await asking.close()
        self._say("Stopped. All is saved.")

    def _handlers(self, gateway: Gateway, host: HostProcess) -> dict[str, Handler]:
        """What the control socket answers here; the same methods as under a supervisor."""

        async def report(_: dict[str, Any]) -> Any:
            kernel = measured(os.getpid(), self._started_s)
            names = ("supervisor", GATEWAY, HOST)  # three parts of one process
            processes = [{"name": name, "state": "running", "build": self._build.number, **kernel} for name in names]
            return status(
                self._config,
                self._state.path,
                self._build,
                self._listeners,
                self._started_s,
                processes,
                {"state": "idle", "phase": None},
                host.recovery,
            )

        async def version(_: dict[str, Any]) -> Any:
            return {
                "version": perdure.__version__,
                "build": {"number": self._build.number, "source": self._build.source},
            }

        async def stop(_: dict[str, Any]) -> Any:
            self._stopping.set()
            return {"stopping": True}

        async def log_level(params: dict[str, Any]) -> Any:
            try:
                logs.set_level(str(params.get("level")))
            except ValueError as error:
                raise ContractError(str(error)) from error
            return {"dev": {"level": params.get("level")}}

        async def alone(_: dict[str, Any]) -> Any:
            raise ContractError(ALONE)

        own = {"status": report, "version": version, "stop": stop, "log-level": log_level}
        refused = dict.fromkeys(NEED_A_SUPERVISOR, alone)
        return {**host_methods(host), **gateway_methods(gateway), **own, **refused}

    def _refuse_copyover(self) -> None:
        self._notify(HOST, {"kind": "copyover-refused", "by": "SIGUSR1", "reason": ALONE})

    def _notify(self, name: str, event: Event) -> None:
        kind = str(event.get("kind", "unnamed"))
        if kind == "durable":
            return  # a supervisor's business
        fields = {key: value for key, value in event.items() if key not in ("kind", "name")}
        self._say(sentence(self._events.emit(kind, name=name, **fields)))

    def _fail(self, reason: str) -> None:
        self._say(f"The host cannot go on: {plain(reason)}")
        os._exit(70)  # as the host process does: nothing may be released any more


async def _nobody_to_ask(_method: str, _params: dict[str, Any]) -> Any:
    raise ContractError(ALONE)


def _watching(config: Config) -> Config:
    """The configuration as an author wants it: a saved file is live at once, in every game."""
    games = {id: msgspec.structs.replace(game, watch=game.watch or True) for id, game in config.games.items()}
    return msgspec.structs.replace(config, games=games)


def serve(config: Config, folder: Path, telnet: str, web: str | None, log_level: str) -> None:
    """Serve the project from this terminal until it is stopped.

    Logs go to STATE/logs/dev.jsonl, tracebacks of faults to the terminal too, and `breakpoint()` works.

    Raises:
        PerdureError: It could not be started.
    """
    state = StateDir.open(folder, version=perdure.__version__)
    try:
        _set_up_terminal(state, log_level)
        asyncio.run(Dev(config, state, telnet, web, utc_now, _print).run())
    finally:
        state.close()


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _set_up_terminal(state: StateDir, log_level: str) -> None:
    logs.setup("dev", state.path, log_level)
    processors = structlog.get_config()["processors"]
    structlog.configure(processors=[_show_traceback, *processors])
    sys.breakpointhook = _break


def _show_traceback(_logger: Any, _method: str, event: Any) -> Any:
    if "traceback" in event:
        sys.stderr.write("\n".join(map(plain, str(event["traceback"]).splitlines())) + "\n")
    return event


def _break(*arguments: Any, **options: Any) -> Any:
    """`breakpoint()`: the callback's budget is lifted, because a person thinks longer than a second."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    if os.environ.get("PYTHONBREAKPOINT"):
        return sys.__breakpointhook__(*arguments, **options)
    return pdb.Pdb().set_trace(sys._getframe(1))
