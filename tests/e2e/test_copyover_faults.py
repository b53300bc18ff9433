"""Each step of a copyover × what can fail there, in real processes, with ten rooms and ten players who talk.

One host owns each room afterwards, the outcome is the crash table's (docs/protocols.md), nobody is disconnected, and
every line is heard once and in order. `tests/sim` visits what lies between the steps.
"""

import itertools
import shutil
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest

from tests.e2e.clients import players
from tests.e2e.copyovers import Played, place_players, playing, visiting
from tests.e2e.programs import BROKEN, HALLS, ROOMS, SLOW, Halls, at_step, command
from tests.e2e.server import DEADLINE_S, Server, alive, wait_until
from tests.e2e.test_copyover import Asking, Raw
from tests.e2e.test_environment import small_disk

__all__ = ["small_disk"]

IDLE = HALLS[3:]
"""Halls in which nothing happens, so that their hashes stay."""


class Case(NamedTuple):
    """What fails, and what comes of it.

    Attributes:
        new, old: Faults of the successor, and of the host before.
        outcome, at: As the report has them; "partial or committed" where it depends on who was faster.
        serves: Who does afterwards.
    """

    new: str = ""
    old: str = ""
    outcome: str = "aborted"
    at: str | None = None
    serves: Literal["new", "old", "any"] = "old"

    def __str__(self) -> str:
        return "+".join(f"{who}:{what}" for who, what in (("new", self.new), ("old", self.old)) if what)


def successor(fault: str, at: str) -> Case:
    """The successor fails before anything is committed: nothing was changed."""
    return Case(new=f"copyover:{fault}", at=at)


def lost(fault: str) -> Case:
    """The successor fails with rooms that are its own: they are recovered as its program, the others stay."""
    return Case(new=f"copyover:{fault}", outcome="partial", serves="new")


def recovered(fault: str) -> Case:
    """The old host dies: its rooms go on in the successor."""
    return Case(old=f"copyover:{fault}", outcome="committed", serves="new")


SHORT = [
    successor("prepare=kill", "prepare"),
    successor("verify=kill", "verify"),
    successor("verify=hang", "verify"),
    successor("commit=kill", "commit"),
    lost("verify=kill@6"),
    lost("route=kill"),
    lost("release=kill@3"),
    Case(old="copyover:stop=raise", at="stop"),
    Case(old="copyover:offer=raise@6", outcome="partial", serves="new"),
    recovered("stop=kill@6"),
    Case(new="copyover:verify=kill", old="copyover:abort=kill", outcome="aborted or committed", serves="any"),
    Case(new="store:owner-commit=raise", at="commit"),
]
LONG = [
    successor("commit=raise", "commit"),
    lost("commit=kill@4"),
    Case(new="copyover:verify=raise@6", outcome="partial", serves="new"),
    recovered("offer=kill"),
    successor("prepare=exit", "prepare"),
    successor("prepare=raise", "prepare"),
    successor("prepare=hang", "prepare"),
    successor("verify=exit", "verify"),
    successor("verify=raise", "verify"),
    successor("commit=exit", "commit"),
    successor("commit=hang", "commit"),
    lost("verify=exit@6"),
    lost("verify=hang@6"),
    lost("commit=kill@6"),
    lost("commit=hang@6"),
    lost("commit=exit@2"),
    lost("route=exit"),
    lost("route=hang"),
    Case(new="copyover:route=kill@6", outcome="partial or committed", serves="new"),  # a commit may be of many rooms
    Case(new="copyover:route=hang@6", outcome="partial or committed", serves="new"),
    lost("release=kill"),
    lost("release=exit@6"),
    lost("release=hang"),
    Case(new="copyover:release=hang@6", outcome="partial or committed", serves="new"),
    lost("release=raise"),
    lost("release=raise@6"),
    Case(new="copyover:commit=raise@6", outcome="partial", serves="new"),
    Case(old="copyover:stop=raise@6", outcome="partial", serves="new"),
    Case(old="copyover:offer=raise", at="offer"),
    recovered("stop=kill"),
    recovered("stop=exit@10"),
    recovered("stop=hang"),
    recovered("stop=hang@6"),
    recovered("offer=kill@6"),
    recovered("offer=hang"),
    recovered("offer=exit@10"),
    Case(new="copyover:verify=kill", old="copyover:abort=raise", at="verify"),
    Case(new="copyover:verify=hang", old="copyover:abort=kill", outcome="committed", serves="new"),
    Case(new="copyover:commit=exit", old="copyover:abort=exit", outcome="aborted or committed", serves="any"),
]


OF_THE_SUPERVISOR = ["copyover:build=raise", "copyover:boot=raise"]
"""Its own two steps."""


def faults(cases: Iterable[Case]) -> list[str]:
    """All that is arranged in them."""
    return [fault for case in cases for fault in (case.new, case.old) if fault]


COPYING_OVER = [*OF_THE_SUPERVISOR, *faults(SHORT)]
CRASH_TABLE = {
    "0 prepare": ["copyover:prepare"],
    "1–3 captured, no compare-and-set yet": ["copyover:stop", "copyover:offer", "copyover:verify", "copyover:commit"],
    "4 sent, the answer unknown": ["store:owner-commit"],
    "after 4, before 5": ["copyover:route"],
    "after 5, before 6": ["copyover:release"],
    "A and B both, at any step": ["test_both_sides_die_in_one_step"],
    "during abort": ["copyover:abort"],
}
"""Rows of the crash table (docs/protocols.md) that speak of a move, and what shows each of them here."""


def cases(name: str, short: Iterable[Any], long: Iterable[Any]) -> pytest.MarkDecorator:
    """A test for each; for those of `long` only in `make soak`."""
    return pytest.mark.parametrize(
        name, [*short, *(pytest.param(one, marks=pytest.mark.soak) for one in long)], ids=str
    )


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """Halls for all cases, one after the other."""
    with playing(tmp_path_factory.mktemp("f")) as played:
        yield played


@pytest.fixture
def halls(served: Played) -> Iterator[Played]:
    """They have one host, which meets no fault any more."""
    yield served
    served.halls.mend()
    served.halls.configure()
    while served.copyover(quiet=True)["outcome"] != "committed":  # a host that was armed may meet it once more
        pass
    assert sum(name.startswith("host") for name in served.processes()) == 1


def armed(fault: str) -> list[str]:
    """A command for hosts that meet this."""
    return command(sys.executable, None, "env", f"PERDURE_FAULT={fault}") if fault else []


class Noise:
    """Clients who connect, send half of what they mean, or drop the connection, all the time."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.refused: list[BaseException] = []
        self._address, self._over = address, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        for number in itertools.count():
            try:
                one = Raw(self._address)
                try:
                    if number % 4:
                        one.wait_for(b"Name: ")
                    if number % 4 > 1:
                        one.send(b"guest\r\ncount ha")
                    if number % 4 > 2:
                        one.wait_for(b"Welcome to")
                        one.send(b"lf\r\nquit\r\n")
                finally:
                    one.close()
            except (OSError, AssertionError) as error:
                self.refused.append(error)
            if self._over.wait(0.03):
                return

    def end(self) -> None:
        """No more."""
        self._over.set()
        self._thread.join(DEADLINE_S)


@contextmanager
def noise(played: Played) -> Iterator[Noise]:
    """Noise inside the block; nobody of it was refused (FM-11)."""
    one = Noise(played.server.address)
    try:
        yield one
    finally:
        one.end()
    assert one.refused == []


def under_talk(halls: Played, **order: object) -> dict[str, Any]:
    """The report of a copyover among players who talk, with everything that has to hold whatever came of it."""
    before = {id: hash for id, hash in halls.hashes().items() if id in IDLE}
    with halls.talking() as talk, noise(halls):
        talk.go_on(rounds=2)
        report = halls.copyover(**order)
        talk.go_on(rounds=3)
    halls.checked(talk)
    halls.check()
    assert {id: hash for id, hash in halls.hashes().items() if id in IDLE} == before
    assert report["sessions"]["lost"] == 0
    assert halls.server.ask("copyover.history")[-1] == report
    return report


def serving(halls: Played) -> str:
    """The name of the host that serves."""
    hosts = [one for one in halls.server.ask("status")["processes"] if one["name"].startswith("host")]
    (name,) = (one["name"] for one in hosts if one["state"] != "draining")
    return str(name)


def meet(halls: Played, case: Case) -> None:
    """Arrange it, copy over, and look what came of it."""
    if case.old:
        halls.halls.configure(armed(case.old))
        halls.committed(quiet=True)
    halls.halls.configure(armed(case.new))
    old = serving(halls)
    report = under_talk(halls)
    both = bool(case.new and case.old)  # then it is known where the rooms are, and not always where it ended
    assert report["outcome"] in case.outcome.split(" or "), report
    assert both or report["aborted_at"] == case.at, report
    serves = "old" if serving(halls) == old else "new"
    assert (report["serving"], serves) == (serving(halls), serves if case.serves == "any" else case.serves), report
    kept = {room["room"]: room["host"] for room in report["rooms"]["kept"]}
    if report["outcome"] != "aborted":
        assert len(kept) + report["rooms"]["moved"] == len(ROOMS), report["rooms"]
        assert {id: halls.rooms()[id]["host"] for id in kept} == kept, report["rooms"]


@cases("case", SHORT, LONG)
def test_a_step_that_fails_costs_nobody_a_line(halls: Played, case: Case) -> None:
    """Crash table, column by column (FM-9, FM-31, FM-32, FM-36, FM-93)."""
    meet(halls, case)


SHORT_BROKEN = ("missing", "exits", "future-link", "few-descriptors", "no-migration", "another-hash")


@cases("name", SHORT_BROKEN, [name for name in (*BROKEN, *SLOW) if name not in SHORT_BROKEN])
def test_a_broken_successor_changes_nothing(halls: Played, name: str) -> None:
    """Each ends at its own step, with a reason that says what is wrong (FM-21, FM-31, FM-90)."""
    broken = {**BROKEN, **SLOW}[name]
    before = halls.processes()
    broken.make(halls.halls)
    report = under_talk(halls)
    assert (report["outcome"], report["aborted_at"]) == ("aborted", broken.at), report
    assert broken.says in report["reason"], report["reason"]
    assert halls.processes() == before


# --- more than one thing at a time ---


def kill_old(halls: Played) -> str:
    """Code that kills the host that serves now."""
    pid = halls.processes()[serving(halls)]
    assert pid > 1
    return f"import os; os.kill({pid}, 9)"


@cases("step", ["commit", "route"], ["verify", "release"])
def test_an_old_host_that_dies_in_the_successors_step(halls: Played, step: str) -> None:
    """Whatever the successor is just doing with a room of it, all rooms go on there, once (crash table)."""
    halls.halls.use_build(at_step(step, kill_old(halls)))
    report = under_talk(halls)
    assert (report["outcome"], report["rooms"]["moved"]) == ("committed", len(ROOMS)), report


def test_an_old_host_that_dies_while_it_takes_a_room_back(halls: Played) -> None:
    """The successor is late, and still claims the room that it was offered, while it recovers all of them (I1)."""
    halls.halls.configure(armed("copyover:abort=kill"))
    halls.committed(quiet=True)
    halls.halls.use_build(at_step("verify", "await asyncio.sleep(0.7)"))
    report = under_talk(halls)
    assert (report["outcome"], report["rooms"]["moved"]) == ("committed", len(ROOMS)), report


@cases("step", ["commit"], ["verify", "route", "release"])
def test_both_sides_die_in_one_step(halls: Played, step: str) -> None:
    """Crash table, *A and B both*: the owner row says whose each room is, and it is recovered (FM-93)."""
    halls.halls.use_build(at_step(step, f"{kill_old(halls)}; os.kill(os.getpid(), 9)"))
    report = under_talk(halls)
    assert report["outcome"] in ("aborted", "partial", "committed"), report


# --- servers of their own ---


@cases("step", ["commit"], ["verify", "route", "release"])
def test_a_supervisor_that_dies_in_it(tmp_path: Path, step: str) -> None:
    """The others end themselves; the next start finds each room once, and the history says what it knows (FM-53)."""
    with playing(tmp_path) as halls:
        halls.clients[0].command("quiz", "What is your quest?")
        halls.clients[0].command("x", "Quest 1")
        halls.halls.use_build(at_step(step, "import os; os.kill(os.getppid(), 9)"))
        asking = Asking(halls)
        halls.server.wait_gone()
        asking.join()
        assert asking.error is not None
        pids = [event["pid"] for event in halls.server.events("starting")]
        wait_until(lambda: not any(map(alive, pids)), "the end of all")
        halls.halls.configure()
        halls.server.start()
        with visiting(halls.server, halls.clients[0].name, "connect") as client:
            client.command("quiz", "What is your quest?")
            client.command("y", "Quest 2")
        assert len(halls.rooms()) == len(ROOMS)
        (report,) = halls.server.ask("copyover.history")
        assert report["outcome"] == "interrupted"
        halls.copyover()
        assert [one["id"] for one in halls.server.ask("copyover.history")] == [1, 2]


@pytest.mark.parametrize("fault", OF_THE_SUPERVISOR)
def test_a_step_of_the_supervisor_that_fails(tmp_path: Path, fault: str) -> None:
    """Nothing was changed, and the next one works."""
    with playing(tmp_path, fault) as halls:
        before = halls.processes()
        report = under_talk(halls)
        assert (report["outcome"], report["aborted_at"]) == ("aborted", fault.partition(":")[2].partition("=")[0])
        assert halls.processes() == before
        halls.committed()


def test_a_fault_can_name_the_process_that_meets_it(tmp_path: Path) -> None:
    """Only the first copyover's successor is killed, after some of the rooms have moved; the next brings the rest."""
    with playing(tmp_path, "host-2/copyover:verify=kill@6") as halls:
        report = under_talk(halls)
        assert (report["outcome"], report["serving"]) == ("partial", "host-2"), report
        assert 1 <= report["rooms"]["moved"] <= 5
        assert report["rooms"]["recovered"] == report["rooms"]["moved"]
        halls.committed()


def test_a_stop_ends_a_copyover(tmp_path: Path) -> None:
    """SIGTERM while rooms move: an orderly end; the next start finds each room once (FM-41, FM-55)."""
    with playing(tmp_path) as halls:
        halls.clients[0].command("quiz", "What is your quest?")
        halls.clients[0].command("x", "Quest 1")
        halls.halls.configure(armed("copyover:verify=hang"))
        asking = Asking(halls)
        halls.server.wait_event("copyover-phase", phase="stop")
        assert halls.server.stop() == 0
        asking.join()
        halls.halls.configure()
        halls.server.start()
        with visiting(halls.server, halls.clients[0].name, "connect") as client:
            client.command("quiz", "What is your quest?")
            client.command("y", "Quest 2")
        halls.copyover()


def test_a_full_disk_ends_a_copyover_and_no_session(tmp_path: Path, small_disk: Path) -> None:
    """Not a byte is left when it begins: it ends before a room stops, and works when there is space again (FM-35)."""
    halls = Halls(tmp_path / "p")
    server = Server(tmp_path, halls.project, state=small_disk / "state")
    try:
        server.start()
        with players(server.address, 10, f"Welcome to {HALLS[0]}") as clients:
            played = Played(server, halls, clients, place_players(clients))
            filler = small_disk / "filler"
            with suppress(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(1 << 12))
            report = played.copyover()
            assert (report["outcome"], report["aborted_at"] in ("boot", "prepare")) == ("aborted", True), report
            assert shutil.disk_usage(small_disk).free < 1 << 16
            filler.unlink()
            clients[0].command("say space", "You say")
            played.check()
            played.committed()
        assert server.stop() == 0
    finally:
        server.cleanup()
