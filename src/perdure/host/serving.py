"""A host process from its boot document to its exit code."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import uvloop

from perdure import config, logs
from perdure.control import Channel, open_channel_fd
from perdure.control_lines import exit_code
from perdure.errors import PerdureError
from perdure.faults import Faults
from perdure.host.control import methods
from perdure.host.guard import SignalGuard
from perdure.host.process import HostProcess, WallClock, said_of_this_program
from perdure.host.weight import lighten_thread
from perdure.slot import Slot
from perdure.store.files import StateDir

EXIT_FAILED = 70
"""The journal failed, or the host itself did: what is durable is true, a new host recovers it."""
SWITCH_S = 0.002
"""How long a thread that loads new code keeps the interpreter from the rooms (the default is 5 ms)."""
ASK_S = 7200.0
"""Longest wait for the supervisor: a copyover that was asked for in a game is answered when it is over."""


async def serve(boot: dict[str, Any]) -> int:
    """Serve until told to stop; returns the exit code."""
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[int] = loop.create_future()
    channel: Channel | None = None

    def notify(event: dict[str, Any]) -> None:
        if channel is not None:
            channel.notify(event)

    def fail(reason: str) -> None:
        sys.stderr.write(reason + "\n")
        sys.stderr.flush()
        os._exit(EXIT_FAILED)  # nothing may be released any more, not by a task that happens to run yet

    def unexpected(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An error in the host itself: half a callback may be booked, so the journal is what is true."""
        error = context.get("exception")
        fail("".join(traceback.format_exception(error)) if error else str(context.get("message")))

    def end() -> None:
        if not stopped.done():
            stopped.set_result(0)

    async def stop(_: dict[str, Any]) -> Any:
        await process.close()
        loop.call_later(0.05, end)
        return {"stopped": True}

    async def ask(method: str, params: dict[str, Any]) -> Any:
        assert channel is not None
        return await channel.request(method, params, timeout_s=ASK_S)

    loop.set_exception_handler(unexpected)
    handlers: dict[str, Any] = {"stop": stop}
    channel = await open_channel_fd(boot["control_fd"], handlers, lambda _: None)
    serving = loop.create_task(channel.serve())
    serving.add_done_callback(lambda _: end())  # the supervisor is gone
    niced = ThreadPoolExecutor(1, "perdure-boot", lighten_thread) if boot.get("niced") else None
    settings = config.load(boot["project"])
    said = await loop.run_in_executor(niced, said_of_this_program, settings, boot.get("target"))
    build = partial(
        HostProcess, settings, StateDir.attach(boot["state"]),
        incarnation=boot["incarnation"], loop=loop, guard=SignalGuard(), slot=Slot(boot["slot_fd"]),
        fault=Faults(os.environ.get("PERDURE_FAULT", ""), boot["name"]), link_path=boot["link_path"],
        notify=notify, stop=fail, ask=ask, clock=WallClock(boot.get("clock_zero_ns")), executor=niced,
        serves=boot.get("role", "serve") == "serve", loads=bool(boot.get("load", True)),
        build=str(build_number(boot, said["source"])), program=said["program"],
    )  # fmt: skip
    process: HostProcess = await loop.run_in_executor(niced, build) if niced else build()
    handlers.update(methods(process))
    await process.start()
    notify({"kind": "ready", **said})
    return await stopped


def build_number(boot: dict[str, Any], source: str) -> int:
    """What the supervisor will number this program: `build` is the newest number, `build_source` what has it."""
    newest = int(boot.get("build", 0))
    return newest if source == boot.get("build_source", source) else newest + 1


def run(boot: dict[str, Any]) -> int:
    """Serve as the boot document says; returns the exit code."""
    sys.setswitchinterval(SWITCH_S)
    gc.freeze()
    gc.enable()
    try:
        logs.setup(boot["name"], StateDir.attach(boot["state"]).path, boot.get("log_level", "info"))
        return uvloop.run(serve(boot))
    except PerdureError as error:
        sys.stderr.write(f"{error}\n")
        return exit_code(error)
