"""A gateway process from its boot document to its end."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import socket
from pathlib import Path
from typing import Any

import msgspec
import structlog
import uvloop

from perdure import logs
from perdure.collector import Collector
from perdure.config import load
from perdure.control import open_channel_fd
from perdure.errors import ContractError
from perdure.faults import Faults
from perdure.gateway.control import methods
from perdure.gateway.desk import Hasher
from perdure.gateway.gateway import Gateway
from perdure.gateway.limits import CLIENTS_MAX, Limits
from perdure.store.accounts import SqlAccounts
from perdure.store.passwords import hash_password, verify_password

DESCRIPTORS_SPARE = 64
"""Descriptors kept for everything that is not a player: logs, accounts, links, control."""

log = structlog.get_logger()


class Boot(msgspec.Struct):
    """PERDURE_BOOT, as far as a gateway needs it."""

    project: str
    state: str
    name: str
    control_fd: int
    listeners: Listeners
    epoch: int
    began_s: float
    log_level: str = "info"


class Listeners(msgspec.Struct):
    """Inherited listening descriptors."""

    telnet: list[int]
    link: int
    web: list[int] = []


async def serve(boot: Boot) -> None:
    """Serve until stopped."""
    stopped = asyncio.Event()
    state = Path(boot.state)

    async def stop(_params: dict[str, Any]) -> Any:
        try:
            return await gateway.stop()
        finally:
            stopped.set()

    async def log_level(params: dict[str, Any]) -> dict[str, str]:
        level = str(params.get("level"))
        try:
            logs.set_level(level)
        except ValueError as error:
            raise ContractError(str(error)) from error
        return {"level": level}

    def emit(event: dict[str, Any]) -> None:
        channel.notify(event)

    config, loop = load(boot.project), asyncio.get_running_loop()
    loop.set_exception_handler(_log_unexpected)
    gateway = Gateway(
        config,
        SqlAccounts(state / "accounts.db"),
        Hasher(hash_password, verify_password),
        loop=loop,
        listeners=[socket.socket(fileno=fd) for fd in boot.listeners.telnet],
        web=[socket.socket(fileno=fd) for fd in boot.listeners.web],
        link=socket.socket(fileno=boot.listeners.link),
        name=boot.name,
        epoch=boot.epoch,
        emit=emit,
        fault=Faults(os.environ.get("PERDURE_FAULT", "")),
        limits=Limits.of(config, _clients_max()),
        began_s=boot.began_s,
    )
    handlers = {**methods(gateway), "stop": stop, "log-level": log_level}
    channel = await open_channel_fd(boot.control_fd, handlers, _ignore)
    serving = asyncio.create_task(channel.serve())
    gateway.start()
    collector = Collector(loop, lambda: gateway.busy_s)
    collector.start()
    channel.notify({"kind": "ready"})
    log.info("serving", epoch=boot.epoch)
    order = asyncio.create_task(stopped.wait())
    await asyncio.wait([serving, order], return_when=asyncio.FIRST_COMPLETED)
    if serving.done() and (error := serving.exception()):
        log.error("control channel broken", error=str(error))
    await channel.drained()  # the answer to `stop` is written already: its task set the event, then answered
    channel.close()
    collector.close()
    gateway.abort()


def _log_unexpected(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A callback raised: a bug, which costs that callback and no more."""
    log.error("internal error", what=str(context.get("message")), exc_info=context.get("exception"))


def _ignore(_event: dict[str, Any]) -> None:
    """The supervisor tells a gateway nothing but requests."""


def _clients_max() -> int:
    """As many clients as descriptors allow, up to the limit; the soft limit is raised to the hard one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return max(1, min(CLIENTS_MAX, hard - DESCRIPTORS_SPARE))


def run(document: str) -> None:
    """Serve as the boot document says."""
    boot = msgspec.json.decode(document, type=Boot)
    logs.setup("gateway", Path(boot.state), boot.log_level)
    gc.freeze()
    gc.enable()
    uvloop.run(serve(boot))
