"""The host process: ``python -m perdure.host`` under a supervisor, with PERDURE_BOOT.

A successor boots beside a host that serves players. Everything heavy (imports, the games, copies of rooms) then
happens in a thread of low weight, so that the players' processes have the processor when they want it. Linux
weighs threads, not processes, and so it may leave that weight again: the main thread never had it.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import threading
from typing import Any

NICE = 19
"""The lowest weight: about 1/70 of a thread of normal weight (sched(7))."""
SERVING = "perdure.host.serving"


def be_nice() -> None:
    """Give this thread the lowest weight. It cannot have another one afterwards."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)


def _import_nicely() -> None:
    be_nice()
    importlib.import_module(SERVING)


def main() -> int:
    """Boot from PERDURE_BOOT; returns the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)  # the supervisor orders; a Ctrl-C reaches the whole terminal
    boot: dict[str, Any] = json.loads(os.environ["PERDURE_BOOT"])
    if boot.get("niced"):
        importing = threading.Thread(target=_import_nicely, name="perdure-boot")
        importing.start()
        importing.join()
    code: int = importlib.import_module(SERVING).run(boot, be_nice)
    return code


if __name__ == "__main__":
    sys.exit(main())
