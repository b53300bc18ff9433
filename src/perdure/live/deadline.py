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

    def __call__(self, function: Callable[[], object]) -> None:
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

    def __init__(self, function: Callable[[], object]) -> None:
        self._function: Callable[[], object] | None = function
        self.error: BaseException | None = None
        self._given_up = False
        self._running, self._watched = threading.Lock(), threading.Lock()
        self._running.acquire()
        self._watched.acquire()
        self._thread = threading.Thread(target=self._run, name="perdure-body", daemon=True)
        self._thread.start()

    def ended(self, within_s: float) -> bool:
        """Wait for the end of a call that was not cut."""
        if not self._running.acquire(timeout=within_s):
            return False
        self._let_go()
        return True

    def cut(self) -> bool:
        """Raise in the thread until it ends, or is given up. Returns whether it ended."""
        for _ in range(round(GIVE_UP_S / REPEAT_S)):
            _raise_in(self._thread, _Cut)
            if self._running.acquire(timeout=REPEAT_S):
                _raise_in(self._thread, None)  # it waits for `_watched`, and would meet the last one behind that
                self._let_go()
                return True
        self._given_up = True
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

    def _let_go(self) -> None:
        self._watched.release()
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                self._call()
                if self._running.locked():
                    self._running.release()
                if not self._given_up:
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


def _raise_in(thread: threading.Thread, exception: type[BaseException] | None) -> None:
    """Let a thread meet an exception; None takes back what it has not met yet.

    CPython 3.11 and 3.12 set a flag for the whole interpreter and clear it only when some thread meets its exception.
    While it is set every thread is slow, and a traced or profiled one does not come past the start of a function. So
    this thread meets one of its own at once; the other one then meets its own when it hands over the interpreter.
    """
    target, own = ctypes.c_ulong(thread.ident or 0), ctypes.c_ulong(threading.get_ident())
    raised, cut = None if exception is None else ctypes.py_object(exception), ctypes.py_object(_Cut)
    set_exception = ctypes.pythonapi.PyThreadState_SetAsyncExc
    try:
        set_exception(target, raised)
        set_exception(own, cut)
        while True:
            pass
    except _Cut:
        pass
