"""A function within a deadline, whatever it does."""

import os
import subprocess
import sys
import threading

import pytest

from perdure.live.deadline import Deadline, Overrun


def names() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def fail() -> None:
    raise KeyError("sword")


def test_what_ends_in_time_is_as_if_it_had_been_called():
    """Also if it raises: the error is its own."""
    done: list[int] = []
    Deadline(10)(lambda: done.append(1))
    with pytest.raises(KeyError, match="sword"):
        Deadline(10)(fail)
    assert done == [1]
    assert "perdure-body" not in names()


def test_an_endless_loop_is_cut_and_its_place_is_known():
    """The line where it was."""

    def loop() -> None:
        while True:
            pass

    with pytest.raises(Overrun) as caught:
        Deadline(0.05)(loop)
    file, line = caught.value.places[0]
    assert (file, line - loop.__code__.co_firstlineno) in [(__file__, 1), (__file__, 2)]
    assert caught.value.stopped
    assert "perdure-body" not in names()


def test_a_loop_that_catches_everything_is_cut():
    """The exception comes again and again, and swallowing the last one does not help (FM-50)."""
    rounds = []

    def loop() -> None:
        for _ in range(5):
            try:
                while True:
                    pass
            except BaseException:  # noqa: BLE001  (what an author may write)
                rounds.append(1)

    with pytest.raises(Overrun):
        Deadline(0.05)(loop)
    assert len(rounds) == 5


def test_what_cannot_be_cut_is_given_up(monkeypatch):
    """One endless operation in C: the caller goes on, and says so (FM-50)."""
    monkeypatch.setattr("perdure.live.deadline.GIVE_UP_S", 0.05)
    lock = threading.Lock()
    lock.acquire()
    with pytest.raises(Overrun, match="cannot be cut") as caught:
        Deadline(0.05)(lock.acquire)
    assert not caught.value.stopped
    stuck = next(thread for thread in threading.enumerate() if thread.name == "perdure-body")
    lock.release()
    stuck.join(10)
    assert not stuck.is_alive()


PROFILED = """
import sys, threading
from perdure.live import deadline
deadline.GIVE_UP_S = 0.05
sys.setprofile(lambda *_: None)
threading.setprofile(lambda *_: None)
def loop():
    while True: pass
lock = threading.Lock()
lock.acquire()
for function in (int, loop, lock.acquire, int):
    try:
        deadline.Deadline(0.05)(function)
        print("ended")
    except deadline.Overrun:
        print("cut")
"""


def test_a_profiler_goes_on_after_a_cut():
    """An exception that no thread meets leaves the interpreter unable to profile, trace or debug (FM-50)."""
    run = subprocess.run(
        [sys.executable, "-c", PROFILED], env=dict(os.environ), capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout.split() == ["ended", "cut", "cut", "ended"]
