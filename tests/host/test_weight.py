"""The weight of a booting host: low while it boots, as that of the others when players wait for it."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from perdure.host.weight import SESSION_NICE, THREAD_NICE, lighten_thread

AUTOGROUP = Path("/proc/self/autogroup")
CHILD = """
import pathlib, time
from perdure.host.weight import lighten_session, restore_session
def weight(): return pathlib.Path("/proc/self/autogroup").read_text().split()[-1]
lighten_session()
print(weight())
while not restore_session():
    time.sleep(0.01)
print(weight())
"""


def test_a_thread_gives_its_weight_away_and_no_other_one_does() -> None:
    """The main thread, which is to serve, keeps its own."""
    found: list[int] = []

    def boot() -> None:
        lighten_thread()
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    before = os.getpriority(os.PRIO_PROCESS, 0)
    thread = threading.Thread(target=boot)
    thread.start()
    thread.join()
    assert (found, os.getpriority(os.PRIO_PROCESS, 0)) == ([THREAD_NICE], before)


@pytest.mark.skipif(not AUTOGROUP.exists(), reason="this kernel does not weigh sessions")
def test_a_session_gives_its_weight_away_and_gets_it_back() -> None:
    """Where a thread's weight says nothing outside its session; no privilege is needed."""
    command = [sys.executable, "-c", CHILD]
    done = subprocess.run(command, check=True, start_new_session=True, capture_output=True, timeout=60)
    assert done.stdout.split() == [str(SESSION_NICE).encode(), b"0"], done
