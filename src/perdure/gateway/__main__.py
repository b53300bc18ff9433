"""The gateway process: `python -m perdure.gateway`, started by the supervisor with PERDURE_BOOT.

It ends when the supervisor orders it to stop, or is gone: a closed control channel means that. Signals
for an orderly end (SIGTERM, SIGINT) reach the whole process group and are the supervisor's to act upon.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys

SERVING = "perdure.gateway.serving"


def main() -> int:
    """Run the process; its exit code."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    gc.disable()  # until `run`: all that is imported stays, and looking for garbage in it takes a fifth of the start
    importlib.import_module(SERVING).run(os.environ["PERDURE_BOOT"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
