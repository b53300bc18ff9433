"""Each step of a reload, and a host that dies there, leaves, or fails: the old code serves, or the new one, never half.

What is recorded is what a host starts with. So it shows when that host finds something broken on disk.
"""

import os
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.edits import BROKEN, playing, visiting
from tests.e2e.server import Server, alive, wait_until
from tests.e2e.talk import talking

REVERSIBLE, BINDING = ["capture", "build", "store", "record"], ["swap", "retire"]
"""Steps of the plan; a fault meets each of them as it begins."""
AT_THE_START = ["capture", "swap", "retire"]
"""Steps that a host has taken once before anybody asks: it loads what lies on disk."""


def fault(step: str, action: str) -> str:
    """It is met by the first reload that somebody asks for."""
    return f"reload:{step}={action}@{2 if step in AT_THE_START else 1}"


KILLED = [fault(step, "kill") for step in (*REVERSIBLE, *BINDING) if step != "build"]
KILLED_LONG = [fault("build", "kill"), *(fault(step, "exit") for step in (*REVERSIBLE, *BINDING))]
HUNG = [fault(step, "hang") for step in (*REVERSIBLE, *BINDING)]
"""The supervisor kills a host that shows no sign of life for ten seconds."""
RAISED = [fault(step, "raise") for step in (*REVERSIBLE, *BINDING)]
RELOADING = [*KILLED, *RAISED]


def cases(short: list[str], long: Iterable[str] = ()) -> pytest.MarkDecorator:
    """A test for each fault; for those of `long` only in `make soak`."""
    return pytest.mark.parametrize("fault", [*short, *(pytest.param(fault, marks=pytest.mark.soak) for fault in long)])


def step_of(fault: str) -> str:
    return fault.partition(":")[2].partition("=")[0]


@contextmanager
def stopped_supervisor(server: Server) -> Iterator[None]:
    """Inside the block nobody starts another host."""
    pid = server.pid("supervisor")
    assert pid > 1
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@cases(KILLED, KILLED_LONG)
def test_a_host_that_dies_there_is_followed_by_the_code_that_was_recorded(tmp_path: Path, fault: str) -> None:
    """A broken file lies on disk by then, and is reported. No line and no row is lost (FM-42, FM-43, FM-93).

    As docs/protocols.md says: rooms run what their own history says, and new rooms get what is recorded.
    """
    step = step_of(fault)
    with playing(tmp_path, 3, fault) as played, visiting(played.server, "Root", role="admin") as root:
        village, probe, old = played.village, played.probe, played.serving
        before = dict(village.marks)
        probe.client.command("deposit 3", "You have 3 coins.")
        with talking(played.clients, pause_s=0.02) as talk:
            talk.go_on(rounds=3)
            host = played.server.pid("host-1")
            with stopped_supervisor(played.server):
                village.edit("words")
                root.send("@reload")
                wait_until(lambda: not alive(host), "the host's end")
                broken = village.spoil("words", BROKEN["exception"])
            played.server.wait_next_host()
            assert played.news.wait_broken(0, broken)["trigger"] == "start"
            assert (played.serving == old) == (step in REVERSIBLE)
            probe.wait(before if step in REVERSIBLE else village.marks)
            root.wait_for("The server was interrupted while it reloaded.")
            village.mend("words")
            root.command("@reload", "village: ")
            probe.wait(village.marks)
            talk.go_on(rounds=3)
        assert played.checked(talk).complaints == []
        probe.client.command("deposit 4", "You have 7 coins.")
        assert len(played.server.events("exited", name="host-1")) == 1
        assert [one["rooms"] for one in played.generations()] == [2]
        assert probe.mixed == []


@pytest.mark.soak
@pytest.mark.parametrize("fault", [*KILLED, *KILLED_LONG, *HUNG])
def test_a_good_edit_that_a_host_died_of_is_loaded_by_the_next(tmp_path: Path, fault: str) -> None:
    """As a reload of its own, from the code that was recorded."""
    with playing(tmp_path, 3, fault) as played, visiting(played.server, "Root", role="admin") as root:
        old = played.serving
        with talking(played.clients, pause_s=0.02) as talk:
            talk.go_on(rounds=3)
            played.village.edit("words")
            root.send("@reload")
            played.server.wait_next_host()
            played.probe.wait(played.village.marks)
            talk.go_on(rounds=3)
        assert played.checked(talk).complaints == []
        started = [event["report"] for event in played.news.events if event["report"]["trigger"] == "start"]
        begins = [report["generation"]["from"] for report in started]
        assert begins == [old] if step_of(fault) in REVERSIBLE else old not in begins


def test_a_step_that_fails_leaves_what_serves_serving(tmp_path: Path) -> None:
    """Up to the commit nothing changes, and the report says so; behind it the new code comes (FM-93)."""
    with playing(tmp_path, 3, ",".join(RAISED)) as played:
        village, probe = played.village, played.probe
        probe.wait(before := dict(village.marks))
        old = played.serving
        with talking(played.clients, pause_s=0.02) as talk:
            village.edit("words")
            for step in REVERSIBLE:
                done = played.server.cli("reload", "--json")
                assert (done.code, f"reload:{step}" in done.json["aborted"]) == (3, True), done
                assert played.serving == old
                probe.wait(before)
            for step in BINDING:
                report = played.reload()
                assert (report["aborted"], step in str(report["rooms"]["refused"])) == ("", step == "swap"), report
                assert played.serving != old
            assert played.server.cli("reload").code == 0
            probe.wait(village.marks)
            talk.go_on(rounds=2)
        assert played.checked(talk).complaints == []
        assert [one["rooms"] for one in played.generations()] == [2]
        assert not played.server.events("exited")
        assert probe.mixed == []


@pytest.mark.soak
def test_a_body_that_never_ends_is_cut_while_everybody_plays_on(tmp_path: Path) -> None:
    """After ten seconds it counts as failed, and is named with the line in which it was; nobody waited (FM-50)."""
    with playing(tmp_path, 3) as played, ThreadPoolExecutor(1) as background:
        village, before = played.village, dict(played.village.marks)
        with talking(played.clients, pause_s=0.02) as talk:
            village.change("words", "# halfway", "while True:\n    pass")
            reload = background.submit(played.reload)
            while not reload.done():
                talk.go_on(rounds=1)
        (failed,) = reload.result()["failed"]
        assert (failed["module"], reload.result()["rooms"]["swapped"]) == ("words", 0)
        assert played.checked(talk).complaints == []
        played.probe.wait(before)
