"""Running a function within a deadline, though it is Python code that nobody has seen.

The function runs in a thread of its own. When its time is over an exception is raised in that thread, again and
again (`PyThreadState_SetAsyncExc`): inside a bare `try` around a loop one alone would be swallowed. It is caught
one frame further out than the function, so a function that swallowed it and then returned has still failed.

Known flaw: what runs one endless operation in C (a long sleep, a read) cannot be cut. It is given up: its thread
goes on, and meets the exception if it ever returns to Python.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable

REPEAT_S = 0.01
"""How often a function that goes on after it was cut is cut again."""
GIVE_UP_S = 2.0
"""How long it is cut before it is given up."""


class Overrun(Exception):
    """A function took longer than it may.

    Attributes:
        places: (file, line) of each frame when its time was over, the innermost first.
        stopped: Whether it could be cut; if not, its thread goes on.
    """

    def __init__(self, message: str, places: list[tuple[str, int]], *, stopped: bool) -> None:
        super().__init__(message)
        self.places, self.stopped = places, stopped


class _Cut(BaseException):
    """What is raised in the thread."""


class Deadline:
    """Calls functions, each within `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self, function: Callable[[], None]) -> None:
        """Call `function` in a thread of its own and wait for it.

        Raises:
            Overrun: It took too long, even if it then returned.
            BaseException: Whatever it raised.
        """
        call = _Call(function)
        if not call.ended(self.seconds):
            places = call.places()
            stopped = call.cut()
            end = "was cut" if stopped else "cannot be cut, so its thread goes on"
            raise Overrun(f"it took longer than {self.seconds:g} s and {end}", places, stopped=stopped)
        if call.error is not None:
            raise call.error


class _Call:
    """One call in its thread. What both threads touch are two plain locks: no cut can leave those half changed."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._function: Callable[[], None] | None = function
        self.error: BaseException | None = None
        self._running, self._watched = threading.Lock(), threading.Lock()
        self._running.acquire()
        self._watched.acquire()
        self._thread = threading.Thread(target=self._run, name="perdure-body", daemon=True)
        self._thread.start()

    def ended(self, within_s: float) -> bool:
        """Wait for the end. If it came, nothing is raised in the thread any more."""
        if not self._running.acquire(timeout=within_s):
            return False
        self._raise(None)  # the thread waits for `_watched`, so what was still to come is taken back
        self._watched.release()
        self._thread.join()
        return True

    def cut(self) -> bool:
        """Raise in the thread until it ends, or is given up. Returns whether it ended."""
        for _ in range(round(GIVE_UP_S / REPEAT_S)):
            self._raise(_Cut)
            if self.ended(REPEAT_S):
                return True
        self._watched.release()
        return False

    def places(self) -> list[tuple[str, int]]:
        """(file, line) of the thread's frames, the innermost first."""
        found = []
        frame = sys._current_frames().get(self._thread.ident or 0)
        while frame is not None:
            found.append((frame.f_code.co_filename, frame.f_lineno))
            frame = frame.f_back
        return found

    def _run(self) -> None:
        while True:
            try:
                self._call()
                if self._running.locked():
                    self._running.release()
                self._watched.acquire()
            except _Cut:  # it came when the function had ended
                continue
            return

    def _call(self) -> None:
        function, self._function = self._function, None
        if function is None:
            return
        try:
            function()
        except BaseException as error:  # noqa: BLE001  (it is raised again, in the thread that waits)
            self.error = error

    def _raise(self, exception: type[BaseException] | None) -> None:
        raised = None if exception is None else ctypes.py_object(exception)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread.ident or 0), raised)
