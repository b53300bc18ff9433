"""Full garbage collections, at quiet moments.

A full collection looks at every object of the process and stops all rooms or players meanwhile (50 ms with 1,000
rooms, 100 ms with 10,000 players). Python begins one whenever a quarter of the objects is new, which a reload or a
copyover makes certain, in its middle. Here the young objects are collected as ever, and all of them only when
nothing was done just now, or when it cannot wait.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable

LOOK_EVERY_S = 0.5
QUIET_S = 0.1
"""A moment is quiet when nothing was done for so long."""
PATIENCE_S = 30.0
"""Where it is never quiet, a collection that is wanted waits so long."""
OLD_CODE_MAX = 8
"""So many retired generations do not wait for a quiet moment: their classes are what a reload costs in memory."""
YOUNG_MAX = 100
"""So many collections of young objects make a full one wanted; Python's own bound is 10."""
NEVER = 1 << 30


class Collector:
    """Takes the full collections of this process over from Python.

    Args:
        last_busy_s: When something was done last, on `time.perf_counter`.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, last_busy_s: Callable[[], float]) -> None:
        self._loop, self._last_busy_s = loop, last_busy_s
        self._wanted_s: float | None = None
        self._retired = 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin; the thresholds are the process's."""
        young, middle, _ = gc.get_threshold()
        gc.set_threshold(young, middle, NEVER)
        self._look()

    def close(self) -> None:
        """Let Python collect by itself again."""
        if self._timer is not None:
            self._timer.cancel()
            young, middle, _ = gc.get_threshold()
            gc.set_threshold(young, middle, 10)

    def want(self) -> None:
        """Something was let go of that only a full collection finds: the classes of old code."""
        self._retired += 1
        if self._wanted_s is None:
            self._wanted_s = time.perf_counter()

    def _look(self) -> None:
        self._timer = self._loop.call_later(LOOK_EVERY_S, self._look)
        if gc.get_count()[2] > YOUNG_MAX:
            self.want()
        now_s = time.perf_counter()
        if self._wanted_s is None:
            return
        quiet = now_s - self._last_busy_s() > QUIET_S
        if quiet or self._retired >= OLD_CODE_MAX or now_s - self._wanted_s > PATIENCE_S:
            self._wanted_s, self._retired = None, 0
            gc.collect()
