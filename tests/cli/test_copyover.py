"""`perdure copyover`, `room move` and `host`: what they ask, what a person and a program read, how they end."""

import json
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from perdure.movement.copyover_order import CopyoverOrder, order_of, params_of
from perdure.movement.copyover_report import (
    Builds,
    CopyoverReport,
    KeptRoom,
    MovedRooms,
    Program,
    Programs,
    Sessions,
)
from perdure.movement.report import PauseMs, encode
from perdure.movement.room_move_report import RoomMoveReport
from tests.cli.conftest import Done, command, perdure
from tests.supervisor.conftest import DEADLINE_S

DONE = CopyoverReport(
    "committed",
    serving="host-2",
    build=Builds(3, 4),
    sessions=Sessions(10, 0),
    rooms=MovedRooms(10),
    pause_ms=PauseMs(1.5, 4.25),
    freeze_ms=12.5,
    id=7,
    at="2026-01-02T03:04:05.678Z",
    by="Ada",
    program=Programs(Program(source="a" * 12), Program(source="b" * 12)),
)
FAILED = CopyoverReport(
    *("aborted", "verify", "the \x1b[2Jsuccessor died", "host-1", Builds(4, 5)),
    rooms=MovedRooms(0, [KeptRoom("world", "verify", "the successor died", "host-1")]),
    id=8,
    at="2026-01-02T04:00:00.000Z",
)
PARTLY = CopyoverReport(
    *("partial", None, "one room stayed", "host-2", Builds(4, 5)),
    rooms=MovedRooms(9, [KeptRoom("world", "verify", "its copy was not the same", "host-1")]),
)
TRIED = CopyoverReport("tested", serving="host-1", build=Builds(4, 5), rooms=MovedRooms(10), test=True)


class FakeServer:
    """A control socket that answers from a script; a thread of its own serves it, one client after the other.

    Args:
        answers: Method -> what is said for it, line by line: notifications, then the result; without a result the
            request is left open.
    """

    def __init__(self, state: Path, answers: dict[str, list[dict[str, Any]]]) -> None:
        self.state, self.requests = state, list[tuple[str, dict[str, Any]]]()
        self.asked = threading.Event()
        self._answers = {"events": [{"result": []}], **answers}
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(state / "control.sock"))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(DEADLINE_S)
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):  # the listener was shut down
            while True:
                client, _ = self._listener.accept()
                with client, client.makefile("rwb") as lines:
                    self._answer(lines)

    def _answer(self, lines: Any) -> None:
        for line in lines:
            request = json.loads(line)
            self.requests.append((request["method"], request.get("params", {})))
            for said in self._answers[request["method"]]:
                lines.write(json.dumps({"id": request["id"], **said} if "event" not in said else said).encode() + b"\n")
            lines.flush()
            if request["method"] not in ("events",):
                self.asked.set()

    def run(self, *arguments: str) -> Done:
        return perdure(*arguments, "--state", self.state)


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[Any]:
    """Makes a FakeServer out of method -> result, or out of method -> lines."""
    made: list[FakeServer] = []

    def make(**answers: Any) -> FakeServer:
        script = {
            method.replace("_", "."): answer if isinstance(answer, Said) else [{"result": answer}]
            for method, answer in answers.items()
        }
        made.append(FakeServer(tmp_path, script))
        return made[-1]

    yield make
    for server in made:
        server.close()


class Said(list[dict[str, Any]]):
    """Lines as they are said."""


@pytest.mark.parametrize("words", [[], ["now"]], ids=["", "now"])
def test_what_was_replaced_is_told_and_ends_with_0(fake: Any, words: Sequence[str]) -> None:
    """One line where all is well; nothing is said means now."""
    server = fake(copyover=encode(DONE))
    done = server.run("copyover", *words)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0] == (
        "Copyover committed: host-2 serves with build 4 instead of 3; 10 rooms moved "
        "(longest pause 4.2 ms, longest freeze 12.5 ms). Asked for by Ada."
    )
    assert order_of(dict(server.requests)["copyover"]) == CopyoverOrder()


@pytest.mark.parametrize(
    ("report", "code"),
    [(DONE, 0), (TRIED, 0), (FAILED, 3), (PARTLY, 5)],
    ids=lambda value: getattr(value, "outcome", ""),
)
def test_the_exit_code_says_what_came_of_it(fake: Any, report: CopyoverReport, code: int) -> None:
    """0: done. 3: the old side serves. 5: partly. Also for programs, who get the answer as it was."""
    answer = {**encode(report), "from_a_later_version": [1]}
    done = fake(copyover=answer).run("copyover", "--json")
    assert (done.code, done.json) == (code, answer)


def test_what_a_successor_said_drives_no_terminal(fake: Any) -> None:
    """The reason is a stranger's text (FM-83)."""
    done = fake(copyover=encode(FAILED)).run("copyover")
    assert "\x1b" not in done.out
    assert "the successor died" in done.out


@pytest.mark.parametrize(
    ("arguments", "order"),
    [
        (["60"], CopyoverOrder(in_s=60)),
        (["0.5", "--quiet"], CopyoverOrder(in_s=0.5, quiet=True)),
        (["test"], CopyoverOrder("test")),
        (["--build", "make -C 'my lib'"], CopyoverOrder(build=["make", "-C", "my lib"])),
        (["--no-build"], CopyoverOrder(no_build=True)),
        (["now", "--to", "previous"], CopyoverOrder(to="previous")),
        (["--to", "12", "--partial"], CopyoverOrder(to="12", partial=True)),
        (["--canary", "10", "--watch", "2.5"], CopyoverOrder(canary=10, watch_s=2.5)),
    ],
    ids=str,
)
def test_options_reach_the_server_as_they_were_given(fake: Any, arguments: list[str], order: CopyoverOrder) -> None:
    """Every one of them; what was not said is not in force."""
    server = fake(copyover=encode(DONE))
    assert server.run("copyover", *arguments).code == 0
    assert dict(server.requests)["copyover"] == params_of(order)


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["nwo"], "no copyover 'nwo'. Did you mean now?"),
        (["tets"], "Did you mean test?"),
        (["cancle"], "Did you mean cancel?"),
        (["-5"], "A copyover in -5 seconds would have begun already"),
        (["-1.5"], "A copyover in -1.5 seconds would have begun already"),
        (["1e9"], "Give from 0 to 86400"),
        (["nan"], "Give from 0 to 86400"),
        (["now", "60"], "one word, not 2"),
        (["--tpo", "3"], "'--to'"),
        (["--to", "x"], "--to previous"),
        (["--to", "0"], "--to previous"),
        (["--to", "3", "--build", "make"], "give --to or --build"),
        (["--build", ""], "Give a command, or --no-build"),
        (["--build", "make '"], "cannot be split into words"),
        (["--build", "make", "--no-build"], "not both"),
        (["--watch", "30"], "--canary 10 --watch 60"),
        (["--canary", "10"], "--canary 10 --watch 60"),
        (["--canary", "100", "--watch", "3"], "from 1 to 99"),
        (["test", "--canary", "10", "--watch", "3"], "Ask for one of them"),
        (["status", "--partial"], "--partial: these say how to copy over"),
        (["history", "--canary", "10", "--watch", "3"], "--canary, --watch"),
    ],
    ids=str,
)
def test_nonsense_is_a_usage_error_before_any_server_is_asked(
    tmp_path: Path, arguments: list[str], advice: str
) -> None:
    """Exit 2, what to do with the nearest word, and no look for a server."""
    done = perdure("copyover", *arguments, "--state", tmp_path)
    assert done.code == 2
    assert advice in done.err
    assert "No server" not in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        *(["copyover", word] for word in ("now", "5", "test", "status", "cancel", "history")),
        *(["host", "start"], ["host", "stop", "host-2"], ["room", "move", "world", "host-2"]),
    ],
    ids=" ".join,
)
def test_without_a_server_each_says_so(tmp_path: Path, arguments: list[str]) -> None:
    """Exit 6, as every command."""
    done = perdure(*arguments, "--state", tmp_path)
    assert done.code == 6
    assert "No server is running" in done.err


def test_a_refusal_is_told_in_the_servers_words(fake: Any) -> None:
    """A second request learns what goes on already."""
    refused = {"error": {"message": "A copyover is moving rooms already, asked for by Ada.", "exit": 4}}
    done = fake(copyover=Said([refused])).run("copyover")
    assert (done.code, done.out) == (4, "")
    assert done.err == "perdure: A copyover is moving rooms already, asked for by Ada.\n"


def test_whoever_waits_sees_how_it_goes(fake: Any) -> None:
    """On standard error, step by step; the report comes once, and what has nothing to do with it is not shown."""
    said = [
        {"event": {"seq": 1, "kind": "fault", "room": "world", "error": "x"}},
        {"event": {"seq": 2, "kind": "copyover-phase", "phase": "boot", "note": "\x1b[2J"}},
        {"event": {"seq": 3, "kind": "copyover", "text": "Copyover committed"}},
        {"result": encode(DONE)},
    ]
    done = fake(copyover=Said(said)).run("copyover", "--json")
    assert len(done.err.splitlines()) == 1
    assert "boot" in done.err
    assert "\x1b" not in done.err
    assert done.json["outcome"] == "committed"


def test_whoever_schedules_is_told_when_it_begins(fake: Any) -> None:
    """And how to call it off until then."""
    begun = {"event": {"seq": 1, "kind": "copyover-begun", "id": 7, "by": "", "trigger": "command", "in_s": 60.0}}
    done = fake(copyover=Said([begun, {"result": encode(DONE)}])).run("copyover", "60")
    assert "in 60 s" in done.err
    assert "perdure copyover cancel" in done.err


def test_what_was_said_before_is_no_progress(fake: Any) -> None:
    """Events of the copyover before this one are not shown."""
    before: list[dict[str, Any]] = [{"event": {"seq": 1, "kind": "copyover-phase", "phase": "boot"}}, {"result": []}]
    assert fake(events=Said(before), copyover=encode(DONE)).run("copyover").err == ""


def test_ctrl_c_ends_the_waiting_and_says_that_the_copyover_goes_on(fake: Any) -> None:
    """Nobody is surprised by a move that an interrupted command did not stop."""
    server = fake(copyover=Said([]))
    waiting = subprocess.Popen(
        command("copyover", "60", "--state", server.state), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert server.asked.wait(DEADLINE_S)
        waiting.send_signal(signal.SIGINT)
        out, err = waiting.communicate(timeout=DEADLINE_S)
    finally:
        waiting.kill()
    assert (waiting.returncode, out) == (130, "")
    assert "goes on without you" in err
    assert "perdure copyover cancel" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("status", "line"),
    [
        ({"state": "idle", "phase": None}, "copyover: none under way"),
        ({"state": "scheduled", "phase": None, "in_s": 42.2, "by": "Ada"}, "scheduled in 42 s, asked for by Ada"),
        ({"state": "preparing", "phase": "boot", "by": ""}, "copyover: preparing, at boot"),
        ({"state": "moving", "phase": "verify\x1b[2J"}, "copyover: moving, at verify"),
        (
            {"state": "moving", "phase": "stop", "canary": {"rooms": 2, "of": 10, "left_s": 41.6}},
            "a canary in 2 of 10 rooms is watched for 42 s more; to call it off: perdure copyover cancel",
        ),
    ],
    ids=lambda value: value.get("state") if isinstance(value, dict) else "",
)
def test_status_is_one_line(fake: Any, status: dict[str, Any], line: str) -> None:
    """State, step, when and who."""
    done = fake(copyover_status=status).run("copyover", "status")
    assert done.code == 0
    assert done.out.endswith(f"{line}\n")
    assert len(done.out.splitlines()) == 1


def test_cancel_says_what_is_true_now(fake: Any) -> None:
    """Or the server says why it is too late."""
    done = fake(copyover_cancel={"cancelled": 7}).run("copyover", "cancel")
    assert done.code == 0
    assert done.out.startswith("Copyover 7 is called off, and the old program serves on.")


def test_history_is_a_table_for_people_and_all_reports_for_programs(fake: Any) -> None:
    """Number, when, who, builds, outcome, rooms, pause, freeze."""
    reports = [encode(DONE), encode(FAILED)]
    server = fake(copyover_history=reports)
    lines = server.run("copyover", "history").out.splitlines()
    assert lines[0].split() == ["NR", "WHEN", "BY", "BUILD", "OUTCOME", "ROOMS", "PAUSE", "MS", "FREEZE", "MS"]
    assert " ".join(lines[1].split()) == "7 2026-01-02 03:04:05 Ada 3 → 4 committed 10 of 10 4.2 12.5"
    assert "aborted at verify" in lines[2]
    assert "command" in lines[2]
    assert server.run("copyover", "history", "--json").json == reports


def test_the_history_needs_no_server(tmp_path: Path) -> None:
    """What nobody ended was interrupted; looking writes nothing."""
    lines = [{"kind": "ended", "report": encode(DONE)}, {"kind": "begun", "report": encode(FAILED)}]
    file = tmp_path / "copyovers.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    before = file.read_bytes()
    found = perdure("copyover", "history", "--json", "--state", tmp_path).json
    assert [(report["id"], report["outcome"]) for report in found] == [(7, "committed"), (8, "interrupted")]
    assert "committed" in perdure("copyover", "history", "--state", tmp_path).out
    assert file.read_bytes() == before


def test_the_history_is_read_beside_perdure_dev_as_well(fake: Any) -> None:
    """One process has no copyover, but keeps the history that `run` left in the same state folder."""
    server = fake(copyover_history=Said([{"error": {"message": "This server is one process.", "exit": 4}}]))
    assert server.run("copyover", "history").code == 4
    line = {"kind": "ended", "report": encode(DONE)}
    (server.state / "copyovers.jsonl").write_text(json.dumps(line) + "\n")
    assert [report["id"] for report in server.run("copyover", "history", "--json").json] == [7]


def test_the_history_says_nothing_where_nothing_was(fake: Any) -> None:
    """A test proved rooms and moved none; nobody typed, so there was no freeze; a way back names its copyover."""
    tested = CopyoverReport("tested", build=Builds(4, 5), rooms=MovedRooms(proved=10), test=True, id=1)
    killed = CopyoverReport("interrupted", build=Builds(4, 0), id=2)
    called_off = CopyoverReport("aborted", build=Builds(4, 5), id=3, cancelled=True)
    back = CopyoverReport("committed", rooms=MovedRooms(2), build=Builds(5, 4), id=4, trigger="canary", of=3)
    server = fake(copyover_history=[encode(report) for report in (tested, killed, called_off, back)])
    told = [" ".join(line.split()) for line in server.run("copyover", "history").out.splitlines()[1:]]
    assert told == [
        "1 command 4 → 5 tested 10 proved – –",
        "2 command 4 → – interrupted – – –",
        "3 command 4 → 5 cancelled – – –",
        "4 canary of 3 5 → 4 committed 2 of 2 – –",
    ]


def test_an_empty_history_says_what_to_try(fake: Any) -> None:
    """A table without rows helps nobody."""
    assert "perdure copyover test" in fake(copyover_history=[]).run("copyover", "history").out


def test_a_room_is_moved_by_name(fake: Any) -> None:
    """What came of it, and exit 3 where the room stays."""
    moved = RoomMoveReport("world", "host-1", "host-2", "moved", serving="host-2", pause_ms=3.14)
    server = fake(room_move=encode(moved))
    done = server.run("room", "move", "world", "host-2")
    assert (done.code, done.out) == (0, "Room world moved from host-1 to host-2 (it stood still for 3.1 ms).\n")
    assert server.requests == [("room.move", {"room": "world", "host": "host-2"})]


def test_a_room_that_stays_ends_with_3(fake: Any) -> None:
    """Nothing was changed."""
    kept = RoomMoveReport("world", "host-1", "host-2", "kept", "verify", "it died", "host-1")
    done = fake(room_move=encode(kept)).run("room", "move", "world", "host-2", "--json")
    assert (done.code, done.json) == (3, encode(kept))


def test_hosts_are_started_and_stopped_by_name(fake: Any) -> None:
    """The supervisor gives the name."""
    server = fake(host_start={"name": "host-2"}, host_stop={"stopped": "host-2"})
    assert server.run("host", "start").out == "host-2 runs. Move a room to it: perdure room move ROOM host-2\n"
    assert server.run("host", "stop", "host-2").out == "host-2 has ended.\n"
    assert server.requests == [("host.start", {}), ("host.stop", {"host": "host-2"})]


def test_status_of_the_server_says_that_a_copyover_goes_on(fake: Any) -> None:
    """Between processes and recovery; nothing is said while none does."""
    status = {
        "version": "0.1.0",
        "build": {"number": 4, "source": "b" * 12},
        "uptime_s": 1,
        "listening": {"telnet": [], "web": []},
        "state_dir": "/srv",
        "processes": [],
        "copyover": {"state": "moving", "phase": "verify"},
        "last_recovery": None,
    }
    assert "copyover: moving, at verify" in fake(status=status).run("status").out


def room(id: str, host: str) -> dict[str, Any]:
    """A room as `rooms` lists it."""
    return {
        "id": id,
        "host": host,
        "game": "mud",
        "callback": 1,
        "seats": 0,
        "tick_ms": {"p50": 0, "p99": 0},
        "faults": 0,
        "durability": "process",
        "paused": False,
    }


def test_rooms_say_their_host_where_there_are_several(fake: Any) -> None:
    """With one host the column says nothing and is left out."""
    server = fake(rooms=[room("world", "host-1"), room("arena", "host-2")])
    lines = [line.split()[:2] for line in server.run("rooms").out.splitlines()]
    assert lines == [["ROOM", "HOST"], ["world", "host-1"], ["arena", "host-2"]]


def test_version_tells_what_the_server_is(fake: Any) -> None:
    """The program that was asked and the one that serves may differ: after an update, and after a copyover."""
    serving = {"version": "0.2.0", "build": {"number": 4, "source": "b" * 12}}
    server = fake(version=serving)
    own, served = server.run("version").out.splitlines()
    assert own == "Perdure 0.1.0"
    assert served == f"served by Perdure 0.2.0, build 4 ({'b' * 12})"
    told = server.run("version", "--json").json
    assert (told["version"], told["build"], told["server"]) == ("0.1.0", serving["build"], serving)


def test_version_without_a_server_tells_the_newest_build_that_was_seen(tmp_path: Path) -> None:
    """A server that was stopped will begin with it."""
    (tmp_path / "build.json").write_text('{"number": 3, "sources": "cccccccccccc"}')
    done = perdure("version", "--state", tmp_path)
    assert (done.code, done.out) == (0, "Perdure 0.1.0, build 3 (cccccccccccc)\n")
