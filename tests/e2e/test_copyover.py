"""The host is replaced under ten players: by the same program, an edited game, another Perdure, another environment."""

import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from perdure.cli.client import Client as Control
from perdure.errors import PerdureError, RemoteError
from tests.e2e.clients import PASSWORD, Client, Strip
from tests.e2e.copyovers import COPYOVER_S, Played, at_rest, descendants, playing, steps_ms, visiting
from tests.e2e.programs import HALLS, ROOMS, TOWER, Change, exe_of
from tests.e2e.server import DEADLINE_S, kill, wait_until

STEPS = ["build", "boot", "prepare", "stop", "offer", "verify", "commit", "route", "release"]
ECHO_OFF, ECHO_ON, DO_ECHO = bytes((255, 251, 1)), bytes((255, 252, 1)), bytes((255, 253, 1))
WILL_NAWS, SIZE = bytes((255, 251, 31)), bytes((255, 250, 31, 0, 132, 0, 50, 255, 240))


@pytest.fixture(scope="module")
def halls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """Halls for all tests here, which leave them with one host that has all rooms."""
    with playing(tmp_path_factory.mktemp("c")) as played:
        yield played


@pytest.fixture(autouse=True)
def _the_rest_stays(halls: Played) -> Iterator[None]:
    """Supervisor and gateway are the same, one host is there, and no process more than before (FM-16)."""
    before = halls.processes()
    yield
    halls.halls.mend()
    halls.halls.configure()
    after = halls.processes()
    assert (after["supervisor"], after["gateway"]) == (before["supervisor"], before["gateway"])
    assert sum(name.startswith("host") for name in after) == 1, after
    assert set(descendants(after["supervisor"])) - helpers(after) == set(after.values()) - {after["supervisor"]}
    assert [client.name for client in halls.clients if client.closed_s] == []


def helpers(processes: dict[str, int]) -> set[int]:
    """Processes that a host made for itself."""
    return {pid for name, host in processes.items() if name.startswith("host") for pid in descendants(host)}


def serving(halls: Played) -> str:
    """The name of the host."""
    (name,) = (name for name in halls.processes() if name.startswith("host"))
    return name


# --- one, and the next ---


def test_a_copyover_costs_nobody_a_line(halls: Played) -> None:
    """Another process serves; sessions, lines and rooms are all there, and the report says so (FM-32, FM-36)."""
    before, old = halls.processes(), serving(halls)
    with halls.talking() as talk:
        talk.go_on(rounds=4)
        report = halls.committed()
        talk.go_on(rounds=4)
    halls.checked(talk)
    after = halls.processes()
    assert (old in after, report["serving"] in after) == (False, True)
    assert exe_of(after[report["serving"]]) == exe_of(before["gateway"])
    assert report["sessions"] == {"kept": 10, "lost": 0}
    assert list(steps_ms(report)) == STEPS
    assert report["build"]["from"] == report["build"]["to"]
    assert any("same" in warning for warning in report["warnings"]), report["warnings"]
    assert halls.server.ask("status")["copyover"] == {"state": "idle", "phase": None}
    assert halls.server.events("copyover")[-1]["report"]["id"] == report["id"]


def test_one_copyover_follows_another_at_once(halls: Played) -> None:
    """Nothing of the one is in the way of the next (FM-37, FM-89); descriptors do not grow (FM-12)."""
    halls.committed()
    before = {name: at_rest(pid) for name, pid in halls.processes().items() if not name.startswith("host")}
    host = at_rest(halls.processes()[serving(halls)])
    with halls.talking() as talk:
        talk.go_on(rounds=2)
        for _ in range(2):
            halls.committed()
        talk.go_on(rounds=2)
    halls.checked(talk)
    after = halls.processes()
    assert all(at_rest(after[name]) <= count for name, count in before.items())
    assert at_rest(after[serving(halls)]) <= host


def test_the_state_is_the_same_to_the_last_bit(halls: Played) -> None:
    """Hashes before and after are equal, and what was counted is counted on (FM-20, FM-23, FM-25, FM-27)."""
    halls.clients[0].command("quiz", "What is your quest?")
    halls.clients[0].command("the same", "Quest")
    before = halls.hashes()
    halls.committed()
    assert halls.hashes() == before


# --- other programs ---


def test_an_edited_game_is_live_afterwards(halls: Played) -> None:
    """What lies on disk is tried before anything moves, and loaded when all rooms have come."""
    build = halls.server.ask("version")["build"]
    halls.halls.edit((r"# more fields", "m: int = 7\n    # more fields"))
    with halls.talking() as talk:
        talk.go_on(rounds=2)
        report = halls.committed()
        talk.go_on(rounds=2)
    halls.checked(talk)
    assert halls.program()["mark"] == str(halls.halls.mark)
    assert report["build"] == {"from": build["number"], "to": build["number"] + 1}
    assert halls.server.ask("version")["build"] == {
        "number": report["build"]["to"], "source": report["program"]["to"]["source"],
    }  # fmt: skip
    assert report["program"]["to"]["source"] != report["program"]["from"]["source"]
    assert {reload["game"]: reload["rooms"]["swapped"] for reload in report["reloads"]}["hall"] == len(HALLS)


def test_another_perdure_serves_afterwards(halls: Played) -> None:
    """The supervisor and the gateway are of the one version, the host is of another (FM-97)."""
    before = halls.hashes()
    halls.halls.use_build(version="0.1.77")
    with halls.talking() as talk:
        talk.go_on(rounds=2)
        report = halls.committed()
        talk.go_on(rounds=2)
    halls.checked(talk)
    assert halls.program()["perdure"] == report["program"]["to"]["version"] == "0.1.77"
    assert before.keys() == halls.hashes().keys()


def test_another_environment_serves_afterwards(halls: Played) -> None:
    """Its interpreter is another file, and its Perdure too."""
    before = halls.server.ask("version")["build"]
    interpreter = halls.halls.use_venv(version="0.1.78")
    with halls.talking() as talk:
        talk.go_on(rounds=2)
        report = halls.committed()
        talk.go_on(rounds=2)
    halls.checked(talk)
    assert exe_of(halls.processes()[report["serving"]]) == str(interpreter.resolve()) == report["program"]["to"]["exe"]
    program = halls.program()
    assert (program["perdure"], program["prefix"]) == ("0.1.78", str(interpreter.parents[1]))
    assert report["build"]["to"] > before["number"]
    shown = halls.server.cli("version")
    assert report["program"]["to"]["source"] in shown.out, shown


def test_the_program_before_can_be_gone_back_to(halls: Played) -> None:
    """Perdure, environment and the game's code, although other code lies on disk."""
    halls.committed()
    old = halls.program()
    halls.halls.edit()
    halls.halls.use_build(version="0.1.79")
    halls.committed()
    assert (halls.program()["perdure"], halls.program()["mark"]) == ("0.1.79", str(halls.halls.mark))
    report = halls.committed(to="previous")
    assert halls.program() == old
    assert report["to"] == "previous"
    halls.halls.configure()
    halls.committed()


# --- what is on its way ---


def test_what_is_pending_is_answered_by_the_next_program(halls: Played) -> None:
    """Questions, timers, and questions to the outside: each once, whichever host answers (FM-24, FM-28, FM-88)."""
    first, second, third = halls.clients[:3]
    first.command("quiz", "What is your quest?")
    second.command("wait 1.5", "Waiting.")
    third.command("insist 1.5", "Asked.")
    with visiting(halls.server, "Asker") as asker:
        asker.command("ask 600", "Asked.")
        asker.command("wait 0.001", "Asker's time is over")
        halls.committed()
        asker.wait_for("answer: interrupted=True")
        since = len(first.seen)
        first.command("a grail", "a grail.")
        assert sum("Quest" in line.text for line in first.seen[since:]) == 1
        second.wait_for(f"{second.name}'s time is over")
        third.wait_for("answer: 1.5")
    for client, what in ((second, "time is over, for the"), (third, "answer: ")):
        client.command("say done", "You say")
        assert sum(what in line.text and "Asker" not in line.text for line in client.seen) == 1, what


def test_letters_arrive_once_and_in_order(halls: Played) -> None:
    """Between rooms of which one has moved and the other not yet, too (FM-22)."""
    reader, count = halls.clients[0], 0
    with visiting(halls.server, "Postman") as postman:
        postman.command(f"go {HALLS[7]}", f"Welcome to {HALLS[7]}")
        over = threading.Event()

        def write() -> None:
            nonlocal count
            while not over.wait(0.005):
                count += 1
                postman.send(f"post {HALLS[0]} {count}")

        writing = threading.Thread(target=write)
        writing.start()
        try:
            for _ in range(2):
                halls.committed()
        finally:
            over.set()
            writing.join()
        reader.wait_for(f'Postman writes, "{count}"')
    got = [match[1] for line in reader.seen if (match := re.fullmatch(r'Postman writes, "(\d+)"', line.text))]
    assert got == [str(number + 1) for number in range(count)]


# --- connections ---


class Raw:
    """A connection of which every byte counts."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.data = b""
        self._socket = socket.create_connection(address, timeout=DEADLINE_S)
        self._socket.settimeout(0.01)

    def send(self, data: bytes) -> None:
        """Send these bytes and no more."""
        self._socket.sendall(data)

    def read(self) -> bytes:
        """All that came so far."""
        try:
            while data := self._socket.recv(1 << 16):
                self.data += data
        except TimeoutError:
            pass
        return self.data

    @property
    def text(self) -> bytes:
        """Without telnet's commands."""
        return Strip().feed(self.read())

    def wait_for(self, text: bytes) -> None:
        """Until that was shown."""
        wait_until(lambda: text in self.text or None, f"{text!r}")

    def close(self) -> None:
        """End the connection."""
        self._socket.close()


@contextmanager
def raw(halls: Played) -> Iterator[Raw]:
    """A connection that has been greeted."""
    with closing(Raw(halls.server.address)) as one:
        one.wait_for(b"Name: ")
        yield one


def test_a_login_stays_where_it_is(halls: Played) -> None:
    """At the password prompt, echo off, half of it typed; and half a name of somebody else (FM-1, FM-2, FM-5)."""
    with visiting(halls.server, "Lara") as lara:
        lara.send("quit")
        lara.wait_closed()
    with raw(halls) as asked, raw(halls) as naming:
        asked.send(b"Lara\r\n")
        asked.wait_for(b"Password: ")
        asked.send(DO_ECHO + PASSWORD[:4].encode())
        naming.send(b"create Lo")
        shown = asked.read(), naming.read()
        assert shown[0].count(ECHO_OFF) == 1
        halls.committed()
        assert (asked.read(), naming.read()) == shown
        asked.send(PASSWORD[4:].encode() + b"\r\n")
        asked.wait_for(f"Welcome to {HALLS[0]}, Lara.".encode())
        assert asked.read().count(ECHO_ON) == 1
        naming.send(f"la {PASSWORD}\r\n".encode())
        naming.wait_for(f"Welcome to {HALLS[0]}, Lola.".encode())
        for one in (asked, naming):
            one.send(b"quit\r\n")


def test_half_a_line_is_a_line_afterwards(halls: Played) -> None:
    """Also a window's size that comes in the middle of it, cut in two (FM-4, FM-5, FM-7)."""
    with raw(halls) as guest:
        guest.send(WILL_NAWS + b"guest\r\n")
        guest.wait_for(b"Welcome to")
        guest.send(b"say ha" + SIZE[:5])
        halls.committed()
        guest.send(SIZE[5:] + b"lf\r\n")
        guest.wait_for(b'You say, "half"')
        guest.send(b"say more\r\n")
        guest.wait_for(b'You say, "more"')


def test_who_is_away_finds_everything_as_it_was(halls: Played) -> None:
    """Link-dead over the whole of it; what was said meanwhile is shown (FM-15, FM-92)."""
    with visiting(halls.server, "Away") as away:
        pass
    wait_until(lambda: "link-dead" in [one["stage"] for one in halls.server.ask("sessions")], "a dead link")
    halls.clients[0].command("say before", "You say")
    halls.committed()
    halls.clients[0].command("say after", "You say")
    with visiting(halls.server, "Away", "connect") as away:
        away.wait_for('says, "before"')
        away.wait_for('says, "after"')
        away.command("say back", 'You say, "back"')
        away.send("quit")


def test_nobody_is_refused_meanwhile(halls: Played) -> None:
    """Whoever comes while rooms move is greeted, and some of them play (FM-9, FM-10, FM-11)."""
    over, greeted, played, failed = threading.Event(), 0, 0, []
    address = halls.server.address

    def come() -> None:
        nonlocal greeted, played
        try:
            while not over.is_set():
                with closing(Raw(address)) as one:
                    one.wait_for(b"Name: ")
                    greeted += 1
                    if greeted % 3 == 0:
                        one.send(b"guest\r\n")
                        one.wait_for(b"Welcome to hall-0")
                        one.send(b"quit\r\n")
                        played += 1
        except (OSError, AssertionError) as error:
            failed.append(error)

    coming = threading.Thread(target=come)
    coming.start()
    try:
        wait_until(lambda: played, "the first of them")
        before = greeted
        halls.committed()
        wait_until(lambda: played > 1 or failed, "the next of them")
    finally:
        over.set()
        coming.join()
    assert failed == []
    assert greeted > before


def test_nothing_is_forced_on_a_screen(halls: Played) -> None:
    """A quiet copyover shows nothing at all; no room was joined again (FM-29)."""
    since = [len(client.seen) for client in halls.clients]
    halls.committed(quiet=True)
    for number, client in enumerate(halls.clients):
        client.command("count over", "count: over")
        shown = [line.text for line in client.seen[since[number] :]]
        assert [text for text in shown if not text.startswith(("count: ", "> count: "))] in ([], [""]), shown


# --- rooms that do not run ---


def test_a_paused_room_stays_paused(halls: Played) -> None:
    """It moves like any other; what waits for it is done when it is let go on, by the next host."""
    with visiting(halls.server, "Patient") as patient:
        patient.command(f"go {HALLS[8]}", f"Welcome to {HALLS[8]}")
        halls.server.ask("room.pause", room=HALLS[8])
        patient.send("say one")
        halls.committed()
        assert halls.rooms()[HALLS[8]]["paused"]
        patient.send("say two")
        halls.server.ask("room.continue", room=HALLS[8])
        patient.wait_for('You say, "two"')
        assert [line.text for line in patient.seen if "You say" in line.text] == ['You say, "one"', 'You say, "two"']


def test_an_idle_room_is_where_it_was(halls: Played) -> None:
    """Rooms that nobody ever entered move like the others, and can be entered."""
    before = halls.rooms()
    halls.committed()
    after = halls.rooms()
    assert after[HALLS[6]]["callback"] == before[HALLS[6]]["callback"]
    assert after[HALLS[6]]["epoch"] == before[HALLS[6]]["epoch"] + 1
    wait_until(lambda: halls.rooms()[TOWER]["callback"] > after[TOWER]["callback"], "the tower's next beat")
    with visiting(halls.server, "Explorer") as explorer:
        explorer.command(f"go {HALLS[6]}", f"Welcome to {HALLS[6]}")
        explorer.command("say hello", "You say")


# --- how it is asked for ---


def blocker(folder: Path) -> tuple[list[str], Path]:
    """A build command that waits for a file, and the file."""
    file = folder / "go-on"
    file.unlink(missing_ok=True)
    return ["sh", "-c", f"echo building; while [ ! -e {file} ]; do sleep 0.02; done"], file


class Asking(threading.Thread):
    """A copyover that is asked for in another thread.

    Attributes:
        report: Once it is over.
        error: Why there is none.
    """

    def __init__(self, halls: Played, **order: object) -> None:
        super().__init__(daemon=True)
        self._state, self._order = halls.server.state, order
        self.report: dict[str, Any] = {}
        self.error: PerdureError | None = None
        self.start()

    def run(self) -> None:
        try:
            with Control(self._state) as control:
                self.report = control.request("copyover", self._order, timeout_s=COPYOVER_S)
        except PerdureError as error:
            self.error = error

    def over(self) -> dict[str, Any]:
        """Wait for the report."""
        self.join(COPYOVER_S)
        assert not self.is_alive()
        assert self.error is None, self.error
        return self.report


def wait_state(halls: Played, state: str) -> dict[str, Any]:
    """Until the copyover is in this state."""

    def found() -> dict[str, Any] | None:
        status: dict[str, Any] = halls.server.ask("copyover.status")
        return status if status["state"] == state else None

    return wait_until(found, f"state {state}")


def test_a_second_request_is_refused_with_the_state_of_the_first(halls: Played) -> None:
    """Which goes on as if nothing had been asked; so is a reload (FM-37, FM-51)."""
    command, file = blocker(halls.halls.folder)
    asking = Asking(halls, build=command)
    try:
        status = wait_state(halls, "preparing")
        assert status["phase"] == "build"
        assert halls.server.ask("status")["copyover"]["phase"] == "build"
        with pytest.raises(RemoteError, match=r"build"):
            halls.copyover()
        with pytest.raises(RemoteError, match=r"copyover"):
            halls.server.ask("reload", game="hall")
    finally:
        file.touch()
    assert asking.over()["outcome"] == "committed"
    assert halls.server.cli("reload", "hall").code == 0


def test_a_copyover_can_be_called_off_while_it_builds(halls: Played) -> None:
    """The build is ended, nothing of it is left, and the next one works (FM-16, FM-38)."""
    command, _ = blocker(halls.halls.folder)
    old, asking = halls.processes(), Asking(halls, build=command)
    wait_state(halls, "preparing")
    assert halls.server.cli("copyover", "cancel").code == 0
    report = asking.over()
    assert (report["outcome"], report["aborted_at"]) == ("aborted", "build"), report
    assert halls.processes() == old
    halls.committed()


def test_a_scheduled_copyover_can_be_called_off(halls: Played) -> None:
    """Features are locked and players are told as it nears; both end with it (FM-38)."""
    halls.halls.configure(locks={"auctions": 3000})
    ada, old = halls.clients[0], halls.processes()
    ada.command("auction", "Going once.")
    asking = Asking(halls, in_s=2900)
    assert wait_state(halls, "scheduled")["in_s"] > 2000
    wait_until(lambda: locked(ada), "the lock")
    with pytest.raises(RemoteError, match=r"begins in"):
        halls.copyover()
    assert halls.server.cli("copyover", "cancel").code == 0
    assert asking.over()["outcome"] == "aborted"
    wait_until(lambda: not locked(ada), "the end of the lock")
    assert halls.processes() == old


def locked(client: Client) -> bool:
    """Whether no auction may begin."""
    since = len(client.seen)
    client.send("auction")
    wait_until(lambda: any("oing once" in one.text or "No auctions" in one.text for one in client.seen[since:]), "it")
    return any("No auctions" in one.text for one in client.seen[since:])


def test_a_build_that_fails_ends_it(halls: Played) -> None:
    """With the last that it said; no successor was started."""
    old = halls.processes()
    done = halls.server.cli("copyover", "--build", "sh -c 'echo missing semicolon; exit 3'", "--json")
    assert (done.code, done.json["outcome"], done.json["aborted_at"]) == (3, "aborted", "build"), done
    assert "missing semicolon" in done.json["reason"]
    assert halls.processes() == old


def test_a_veto_ends_it(halls: Played) -> None:
    """With whose it is, why, and for how long; when it is gone, the copyover is done."""
    halls.halls.edit(('VETO = ""', 'VETO = "the ball"'))
    assert halls.server.cli("reload", "hall").code == 0
    old = halls.processes()
    report = halls.copyover()
    assert (report["outcome"], report["aborted_at"]) == ("aborted", "boot"), report
    assert "the ball" in report["reason"]
    assert (report["vetoes"][0]["for_s"], len(report["vetoes"])) == (30, len(HALLS))
    assert halls.processes() == old
    halls.halls.edit(('VETO = "the ball"', 'VETO = ""'))
    assert halls.server.cli("reload", "hall").code == 0
    halls.committed()


def test_a_test_moves_nothing(halls: Played) -> None:
    """It boots a real successor, proves every room, and shows what would be converted; then that is gone."""
    old, before = halls.processes(), halls.owners()
    halls.halls.edit((r"# more fields", "o: int = 9\n    # more fields"))
    with halls.talking() as talk:
        talk.go_on(rounds=2)
        done = halls.server.cli("copyover", "test", "--json")
        talk.go_on(rounds=2)
    halls.checked(talk)
    assert (done.code, done.json["outcome"], done.json["hash_mismatches"]) == (0, "tested", 0), done
    assert (halls.processes(), halls.owners()) == (old, before)
    assert halls.program()["mark"] != str(halls.halls.mark)
    halls.committed()
    assert halls.program()["mark"] == str(halls.halls.mark)


def test_an_admin_reads_the_report_once(halls: Played) -> None:
    """Although the host that was asked is gone before it can answer."""
    made = halls.server.cli("account", "create", "Root", "--role", "admin", "--password-stdin", stdin=PASSWORD)
    assert made.code == 0, made.err
    with visiting(halls.server, "Root", "connect") as root:
        old = serving(halls)
        root.command("@copyover", "Copyover committed")
        assert old not in halls.processes()
        root.command("@copyover status", "No copyover is under way")
        root.command("say well", "You say")
        assert sum("Copyover committed" in line.text for line in root.seen) == 1
        (by,) = {report["by"] for report in halls.server.ask("copyover.history") if report["trigger"] == "game"}
        assert by == "Root"
        root.send("quit")


def test_a_signal_asks_for_it(halls: Played) -> None:
    """SIGUSR1 to the supervisor, which is not ended by it (FM-41)."""
    before = len(halls.server.events("copyover"))
    pid = halls.server.pid("supervisor")
    assert pid > 1
    os.kill(pid, signal.SIGUSR1)
    event = halls.server.wait_event("copyover", before + 1, deadline_s=COPYOVER_S)
    assert (event["report"]["outcome"], event["report"]["trigger"]) == ("committed", "signal")
    halls.check()


def test_rooms_that_the_new_program_refuses_may_stay(halls: Played) -> None:
    """With --partial they stay with the old host; the next copyover brings them along."""
    point = "        if self._config.rooms.get(id) != game:\n"
    refusing = f"        if id == {HALLS[2]!r}:\n            raise ContractError('it is not a room for me')\n"
    refuses = Change("host/taking.py", point, refusing + point)
    old = halls.processes()
    halls.halls.use_build(refuses)
    report = halls.copyover()
    assert (report["outcome"], report["aborted_at"]) == ("aborted", "prepare"), report
    assert "not a room for me" in report["reason"]
    assert halls.processes() == old
    with halls.talking() as talk:
        talk.go_on(rounds=2)
        report = halls.copyover(partial=True)
        assert (report["outcome"], report["rooms"]["moved"]) == ("committed", len(ROOMS) - 1), report
        (kept,) = report["rooms"]["kept"]
        assert (kept["room"], kept["at"]) == (HALLS[2], "prepare")
        assert halls.rooms()[HALLS[2]]["host"] == kept["host"] != report["serving"]
        talk.go_on(rounds=4)
        halls.halls.configure()
        halls.committed()
        talk.go_on(rounds=2)
    halls.checked(talk)


def test_a_canary_goes_on(halls: Played) -> None:
    """Some rooms are tried first, and the others follow."""
    halls.halls.edit()
    with halls.talking() as talk:
        talk.go_on(rounds=2)
        report = halls.copyover(canary=30.0, watch_s=1.0)
        talk.go_on(rounds=2)
    halls.checked(talk)
    assert (report["outcome"], report["reason"], report["sessions"]["lost"]) == ("committed", "", 0), report
    assert (report["canary"]["went_on"], len(report["canary"]["rooms"])) == (True, 3)
    assert halls.program()["mark"] == str(halls.halls.mark)


def test_history_tells_it_all(halls: Played) -> None:
    """Every copyover once, by rising number, over restarts too; for people and for programs."""
    reports = halls.server.ask("copyover.history")
    numbers = [report["id"] for report in reports]
    assert numbers == list(range(1, len(numbers) + 1))
    assert all(report["outcome"] in ("committed", "aborted", "tested") for report in reports)
    told = halls.server.cli("copyover", "history")
    assert (told.code, len(told.out.splitlines())) == (0, len(reports) + 1), told
    assert halls.server.cli("copyover", "history", "--json").json == reports


def test_a_host_that_dies_later_is_recovered_by_its_own_program(halls: Played) -> None:
    """Behind a copyover everything is as before: a crash costs nobody a line (FM-88)."""
    halls.halls.use_build(version="0.1.80")
    report = halls.committed()
    with halls.talking() as talk:
        talk.go_on(rounds=2)
        ready = len(halls.server.events("ready", name=report["serving"]))
        kill(halls.processes()[report["serving"]])
        halls.server.wait_event("ready", ready + 1, name=report["serving"])
        talk.go_on(rounds=2)
    halls.checked(talk)
    halls.check()
    assert halls.program()["perdure"] == "0.1.80"
    halls.halls.configure()
    halls.committed()
