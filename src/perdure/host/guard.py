"""The watchdog's first half: cut a callback that exceeds its budget.

A timer signal interrupts the main thread. Its handler raises `Overrun` wherever the game's code is: in a
loop, in ``time.sleep`` (which the signal ends), in a regular expression (the matcher looks for signals as
it backtracks). The signal repeats, so a game that swallows the exception meets it again. What looks for
no signal, one endless operation in C, is for the supervisor to kill: it watches the executing slot.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType

from perdure.room.program import Overrun

REPEAT_S = 0.01
"""How often a callback that goes on after it was cut is cut again."""


class SignalGuard:
    """Runs functions on the main thread within a budget, by SIGALRM. At most one at a time."""

    def __init__(self) -> None:
        self._armed = False
        self._cut = False
        self._budget_s = 0.0
        signal.signal(signal.SIGALRM, self._alarm)

    def __call__(self, function: Callable[[], None], budget_s: float) -> None:
        """Run `function`.

        Raises:
            Overrun: It took longer than `budget_s`, even if it swallowed that news and returned.
        """
        self._cut, self._budget_s = False, budget_s
        try:
            self._timed(function, budget_s)
        except Overrun:  # one frame outside of where it may be raised: nothing of the game is below
            self._disarm()
            raise
        if self._cut:
            raise self._overrun()

    def _timed(self, function: Callable[[], None], budget_s: float) -> None:
        self._armed = True
        signal.setitimer(signal.ITIMER_REAL, budget_s, REPEAT_S)
        try:
            function()
        finally:
            self._disarm()

    def _disarm(self) -> None:
        self._armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _alarm(self, signum: int, frame: FrameType | None) -> None:
        del signum, frame
        if self._armed:
            self._cut = True
            raise self._overrun()

    def _overrun(self) -> Overrun:
        return Overrun(f"it took longer than its budget of {self._budget_s:g} s and was cut")
