"""What the control socket answers: the supervisor's own methods, and those that it passes on."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

import perdure
from perdure.control import Handler
from perdure.errors import ContractError, PerdureError
from perdure.movement.wording import counted, listed
from perdure.supervisor.control_socket import GATEWAY_METHODS, MERGED_METHODS, ROOM_METHODS
from perdure.supervisor.copyover import Copyovers
from perdure.supervisor.hosts import ANSWER_S, Hosts
from perdure.supervisor.instance import Instance
from perdure.supervisor.reload_everywhere import reload_everywhere
from perdure.supervisor.settings import Settings
from perdure.supervisor.sockets import Listeners
from perdure.supervisor.status import NOT_RUNNING, measured, status

STATUS_TIMEOUT_S = 1.0


class Methods:
    """The control methods of a server.

    Args:
        stopping: Set when the order to stop was given.
        order_stop: Called with the reason.
        order_kill: As `order_stop`, without any patience.

    Attributes:
        build: Number of the build that the supervisor is; 0 until the first host said it.
    """

    def __init__(
        self,
        settings: Settings,
        gateway: Instance,
        hosts: Hosts,
        copyovers: Copyovers,
        listeners: Listeners,
        *,
        stopping: asyncio.Event,
        order_stop: Callable[[str], None],
        order_kill: Callable[[], None],
    ) -> None:
        self._settings, self._gateway, self._hosts, self._listeners = settings, gateway, hosts, listeners
        self._copyovers = copyovers
        self._stopping, self._order_stop, self._order_kill = stopping, order_stop, order_kill
        self._started_s = time.monotonic()
        self.build = 0

    def handlers(self) -> dict[str, Handler]:
        """By method name, as the control socket wants them."""
        return {
            "version": self._version,
            "status": self._status,
            "stop": self._stop,
            "log-level": self._log_level,
            "host.start": self._start_host,
            "host.stop": self._stop_host,
            "reload": self._reload,
            **{method: partial(self._hosts.merged, method) for method in MERGED_METHODS},
            **{method: partial(self._hosts.forward, method) for method in ROOM_METHODS},
            **{method: partial(self._ask_gateway, method) for method in GATEWAY_METHODS},
        }

    async def _ask_gateway(self, method: str, params: dict[str, Any]) -> Any:
        return await self._gateway.ask(method, params, timeout_s=ANSWER_S)

    async def _reload(self, params: dict[str, Any]) -> Any:
        self._refuse_while_moving("Nothing was reloaded")
        return await reload_everywhere(self._hosts, params)

    async def _version(self, _: dict[str, Any]) -> Any:
        return {"version": perdure.__version__, "build": msgspec.structs.asdict(self._hosts.build)}

    async def _stop(self, params: dict[str, Any]) -> Any:
        if params.get("now"):
            self._order_kill()
        else:
            self._order_stop("perdure stop")
        return {"stopping": True}

    async def _log_level(self, params: dict[str, Any]) -> Any:
        asked = {self._gateway.name: self._gateway} | {host.name: host.instance for host in self._hosts.all}
        answers = await asyncio.gather(*(instance.ask("log-level", params) for instance in asked.values()))
        return dict(zip(asked, answers, strict=True))

    def _refuse_while_moving(self, what: str) -> None:
        """Two movements do not meet (FM-51).

        Raises:
            ContractError: One is under way.
        """
        if self._copyovers.busy:
            raise ContractError(f"{what}: {self._copyovers.busy} Try again when it is over.")

    # --- hosts ---

    async def _start_host(self, _: dict[str, Any]) -> Any:
        self._refuse_while_moving("No host was started")
        host = await self._hosts.start(self._hosts.program())
        return {"name": host.name}

    async def _stop_host(self, params: dict[str, Any]) -> Any:
        self._refuse_while_moving("No host was stopped")
        host = self._hosts.named(str(params.get("host")))
        if host is self._hosts.serving:
            raise ContractError(
                f"{host.name} serves: without it no room is recovered. It was not stopped. "
                "Replace it: perdure copyover now. End all: perdure stop"
            )
        rooms = [str(room.get("id")) for room in await host.ask("rooms")]
        if rooms:
            raise ContractError(
                f"{host.name} has {counted(len(rooms), 'room')}: {listed(rooms)}. It was not stopped. "
                f"Move first what is in it: perdure room move ROOM {self._hosts.serving.name}"
            )
        await self._hosts.end(host)
        return {"stopped": host.name}

    # --- status ---

    async def _status(self, _: dict[str, Any]) -> Any:
        serving = await self._serving_status()
        own = {
            "state": "stopping" if self._stopping.is_set() else "running",
            "build": self.build or self._hosts.build.number,
        }
        return status(
            self._settings.config,
            self._settings.state,
            self._hosts.build,
            self._listeners,
            self._started_s,
            [
                {"name": "supervisor", **own, **measured(os.getpid(), self._started_s)},
                _process(self._gateway, str(self._gateway.state)),
                *(
                    {**_process(host.instance, host.state), "serves": host is self._hosts.serving}
                    for host in self._hosts.all
                ),
            ],
            self._copyovers.status(),
            serving.get("last_recovery"),
        )

    async def _serving_status(self) -> dict[str, Any]:
        """What the serving host knows of itself; nothing while it is away: then the processes' part says so."""
        try:
            answer = await self._hosts.serving.ask("status", timeout_s=STATUS_TIMEOUT_S)
        except PerdureError:
            return {}
        return answer if isinstance(answer, dict) else {}


def _process(instance: Instance, state: str) -> dict[str, Any]:
    process = instance.process
    alive = process is not None and process.exit is None
    kernel = measured(process.pid, process.started_s) if process is not None and alive else NOT_RUNNING
    return {"name": instance.name, "state": state, "build": instance.build, **kernel}
