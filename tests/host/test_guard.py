"""The guard: a callback that takes too long is cut, wherever it is, and nothing is cut after it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator

import pytest

from perdure.host.guard import SignalGuard
from perdure.room.program import Overrun

BUDGET_S = 0.05


@pytest.fixture
def guard() -> Iterator[SignalGuard]:
    before = signal.getsignal(signal.SIGALRM)
    yield SignalGuard()
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def endless() -> None:
    while True:
        pass


def failing() -> None:
    raise ZeroDivisionError


def sleeping() -> None:
    time.sleep(60)


def matching() -> None:
    re.match(r"(a+)+$", "a" * 64 + "b")


def catching() -> None:
    while True:
        try:
            endless()
        except Exception:  # noqa: BLE001  (as a careless author writes it)
            continue


@pytest.mark.parametrize("function", [endless, sleeping, matching, catching])
def test_what_takes_too_long_is_cut(guard: SignalGuard, function: object) -> None:
    """(FM-40, FM-61) A loop, a sleep, a regular expression that explodes, and one that catches exceptions."""
    assert callable(function)
    with pytest.raises(Overrun, match=r"longer than its budget of 0\.05 s"):
        guard(function, BUDGET_S)


def test_a_cut_that_is_swallowed_is_still_an_overrun(guard: SignalGuard) -> None:
    """Who catches everything and returns has been cut all the same, and is cut again as long as it goes on."""
    cuts = 0

    def stubborn() -> None:
        nonlocal cuts
        while cuts < 3:
            try:
                endless()
            except BaseException:  # noqa: BLE001  (as a careless author writes it)
                cuts += 1

    with pytest.raises(Overrun):
        guard(stubborn, BUDGET_S)
    assert cuts == 3


def test_nothing_is_cut_after_the_return(guard: SignalGuard) -> None:
    """(FM-41) The timer is off, after a return, after a fault and after a cut."""
    guard(lambda: None, BUDGET_S)
    with pytest.raises(ZeroDivisionError):
        guard(failing, BUDGET_S)
    with pytest.raises(Overrun):
        guard(endless, BUDGET_S)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    signal.raise_signal(signal.SIGALRM)  # one that was under way when the timer went off


def test_each_callback_has_its_whole_budget(guard: SignalGuard) -> None:
    """What the callback before used up, or swallowed, is not held against this one."""
    with pytest.raises(Overrun):
        guard(endless, BUDGET_S)
    done: list[int] = []
    guard(lambda: done.append(1), 60)
    assert done == [1]


def test_other_signals_work_as_ever_during_a_callback(guard: SignalGuard) -> None:
    """(FM-41) A handler of another signal runs within, and raises through."""
    seen: list[int] = []

    def interrupted() -> None:
        signal.raise_signal(signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, lambda number, _: seen.append(number))
    try:
        guard(interrupted, 60)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert seen == [signal.SIGUSR1]


def test_callbacks_are_cut_under_the_loop_of_the_hosts(tmp_path: object) -> None:
    """uvloop takes signals by a descriptor; the timer's reaches the main thread all the same, thousands of times."""
    code = """
        import asyncio, uvloop
        from perdure.host.guard import SignalGuard
        from perdure.room.program import Overrun
        guard = SignalGuard()
        def endless():
            while True: pass
        async def main():
            cuts = 0
            for _ in range(20):
                try: guard(endless, 0.002)
                except Overrun: cuts += 1
                for _ in range(50): guard(lambda: None, 1.0)
                await asyncio.sleep(0)
            print(cuts)
        uvloop.run(main())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "20\n"
