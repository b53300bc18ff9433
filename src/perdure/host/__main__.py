"""The host process: ``python -m perdure.host`` under a supervisor, with PERDURE_BOOT.

A successor boots beside a host that serves players. Everything heavy (imports, the games, copies of rooms) then
happens with low weight (`perdure.host.weight`), so that the players' processes have the processor when they want it.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import sys
import threading
from typing import Any

from perdure.host.weight import lighten_session, lighten_thread

SERVING = "perdure.host.serving"


def _import_nicely() -> None:
    lighten_thread()
    importlib.import_module(SERVING)


def main() -> int:
    """Boot from PERDURE_BOOT; returns the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)  # the supervisor orders; a Ctrl-C reaches the whole terminal
    gc.disable()  # until `run`: all that is imported stays, and looking for garbage in it takes a tenth of the start
    boot: dict[str, Any] = json.loads(os.environ["PERDURE_BOOT"])
    if boot.get("niced"):
        lighten_session()
        importing = threading.Thread(target=_import_nicely, name="perdure-boot")
        importing.start()
        importing.join()
    code: int = importlib.import_module(SERVING).run(boot)
    return code


if __name__ == "__main__":
    sys.exit(main())
