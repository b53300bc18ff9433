"""What the supervisor says in its terminal, if it has one.

A terminal may be stopped (Ctrl-S), gone (a closed ssh session) or a pipe that nobody reads; none of that
may hold up a supervisor. So a thread does the writing, and what it cannot write is dropped.
"""

from __future__ import annotations

import queue
import threading
from contextlib import suppress

LINES_MAX = 1000


class Console:
    """Lines for people, on stdout."""

    def __init__(self) -> None:
        self._lines: queue.Queue[str | None] = queue.Queue(LINES_MAX)
        self._thread = threading.Thread(target=self._write, daemon=True, name="console")
        self._thread.start()

    def say(self, line: str) -> None:
        """Print a line soon; dropped when the terminal has not taken the last thousand."""
        with suppress(queue.Full):
            self._lines.put_nowait(line)

    def close(self, timeout_s: float = 1.0) -> None:
        """Give the terminal a moment to take what is left."""
        try:
            self._lines.put_nowait(None)
        except queue.Full:
            return
        self._thread.join(timeout_s)

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                print(line, flush=True)  # noqa: T201 - what this module is for
            except (OSError, ValueError):
                return  # nobody reads any more, or stdout was closed from the start
