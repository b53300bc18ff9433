"""The host process: ``python -m perdure.host`` under a supervisor."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
import traceback
from typing import Any

import uvloop

from perdure import config, logs
from perdure.control import Channel, open_channel_fd
from perdure.control_lines import exit_code
from perdure.errors import PerdureError
from perdure.faults import Faults
from perdure.host.guard import SignalGuard
from perdure.host.process import HostProcess
from perdure.slot import Slot
from perdure.store.files import StateDir

EXIT_FAILED = 70
"""The journal failed, or the host itself did: what is durable is true, a new host recovers it."""

SWITCH_S = 0.002
"""How long a thread that loads new code keeps the interpreter from the rooms (the default is 5 ms)."""


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

    loop.set_exception_handler(unexpected)
    handlers: dict[str, Any] = {"stop": stop}
    channel = await open_channel_fd(boot["control_fd"], handlers, lambda _: None)
    state = StateDir.attach(boot["state"])
    process = HostProcess(
        config.load(boot["project"]), state,
        incarnation=boot["incarnation"], loop=loop, guard=SignalGuard(), slot=Slot(boot["slot_fd"]),
        fault=Faults(os.environ.get("PERDURE_FAULT", "")), link_path=boot["link_path"], notify=notify, stop=fail,
    )  # fmt: skip
    handlers.update(process.handlers())
    process.start()
    notify({"kind": "ready"})
    serving = loop.create_task(channel.serve())
    serving.add_done_callback(lambda _: end())  # the supervisor is gone
    return await stopped


def main() -> int:
    """Boot from PERDURE_BOOT."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the supervisor orders; a Ctrl-C reaches the whole terminal
    boot = json.loads(os.environ["PERDURE_BOOT"])
    logs.setup(boot["name"], StateDir.attach(boot["state"]).path, boot.get("log_level", "info"))
    sys.setswitchinterval(SWITCH_S)
    gc.freeze()
    try:
        return uvloop.run(serve(boot))
    except PerdureError as error:
        sys.stderr.write(f"{error}\n")
        return exit_code(error)


if __name__ == "__main__":
    sys.exit(main())
