"""Commands for a running server: what they print, how they end, and what they do without one."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Done, child, command, perdure
from tests.supervisor.conftest import DEADLINE_S, Server, wait_until

READY = child("ready")
ASKING = [
    ["status"],
    ["sessions"],
    ["rooms"],
    ["rooms", "--aside"],
    ["room", "show", "world"],
    ["room", "pause", "world"],
    ["room", "step", "world"],
    ["room", "continue", "world"],
    ["room", "resume", "world", "--skip-input"],
    ["room", "discard", "world", "--yes"],
    ["modules"],
    ["reload"],
    ["events", "-f"],
    ["log-level", "debug"],
    ["stop"],
]


@pytest.mark.parametrize("arguments", ASKING, ids=" ".join)
def test_without_a_server_each_command_says_so_with_exit_6(tmp_path: Path, arguments: list[str]) -> None:
    """One line that names the state folder and the next step; no traceback."""
    done = perdure(*arguments, "--state", tmp_path)
    assert done.code == 6
    assert f"No server is running on {tmp_path}" in done.err
    assert "perdure run" in done.err
    assert len(done.err.splitlines()) == 1
    assert done.out == ""


def test_without_a_project_a_command_says_how_to_name_a_server(tmp_path: Path) -> None:
    """Nothing to find from here: --state and PERDURE_STATE are named."""
    done = perdure("status", cwd=tmp_path)
    assert done.code == 6
    assert f"no perdure.toml in {tmp_path} or above" in done.err
    assert "--state DIR or PERDURE_STATE" in done.err


def test_a_server_is_found_by_folder_option_and_environment(server: Server) -> None:
    """From within the project, by --state DIR, and by PERDURE_STATE."""
    server.state = server.project / ".perdure"
    server.state.mkdir()
    server.start(READY, READY)
    server.wait_ready()
    below = server.project / "game"
    answers = [
        perdure("status", "--json", cwd=below),
        perdure("status", "--json", "--state", server.state),
        perdure("status", "--json", PERDURE_STATE=str(server.state)),
    ]
    assert [answer.code for answer in answers] == [0, 0, 0]
    assert {answer.json["state_dir"] for answer in answers} == {str(server.state)}


def asked(server: Server, *arguments: str) -> Done:
    return perdure(*arguments, "--json", "--state", server.state)


def test_each_command_asks_the_process_that_knows(server: Server) -> None:
    """What goes over the wire, as the fake children saw it."""
    gateway, host = server.state / "gateway-asked", server.state / "host-asked"
    server.start(child(["record", gateway], "ready"), child(["record", host], "ready"))
    server.wait_ready()
    seen = {
        ("rooms",): ("rooms", {"aside": False}),
        ("rooms", "--aside"): ("rooms", {"aside": True}),
        ("room", "show", "world"): ("room.show", {"room": "world"}),
        ("room", "pause", "world"): ("room.pause", {"room": "world"}),
        ("room", "step", "world"): ("room.step", {"room": "world"}),
        ("room", "continue", "world"): ("room.continue", {"room": "world"}),
        ("room", "resume", "world", "--skip-input"): ("room.resume", {"room": "world", "skip_input": True}),
        ("room", "discard", "world", "--yes"): ("room.discard", {"room": "world"}),
        ("modules",): ("modules", {}),
        ("sessions",): ("sessions", {}),
    }
    for arguments, (method, params) in seen.items():
        done = asked(server, *arguments)
        assert done.code == 0, done.err
        asking = gateway if method == "sessions" else host
        assert [method, params] in map(json.loads, asking.read_text().splitlines())


def test_disabling_an_account_ends_what_it_plays_and_says_how_much(server: Server) -> None:
    """The gateway is asked by the account's id; where nobody plays, or no server runs, nothing more was to do."""

    def account(*arguments: str) -> Done:
        return perdure("account", *arguments, "--state", server.state, stdin="secret-of-ada\n")

    made = account("create", "Ada", "--password-stdin", "--json").json
    assert account("disable", "ada", "--json").json == {**made, "disabled": True, "ended": 0}
    record = server.state / "gateway-asked"
    answers = [["answer", "sessions.end", json.dumps({"result": {"ended": ended}})] for ended in (1, 0)]
    refused = ["answer", "sessions.end", json.dumps({"error": {"message": "no such method", "exit": 4}})]
    server.start(child(["record", record], *answers, refused, "ready"), READY)
    server.wait_ready()
    assert account("disable", "Ada").out == "Ada may not log in any more.\n1 session of it ended.\n"
    assert ["sessions.end", {"account": made["id"]}] in map(json.loads, record.read_text().splitlines())
    assert account("disable", "Ada").out == "Ada may not log in any more.\nNobody played it.\n"
    failed = account("disable", "Ada")
    assert (failed.code, failed.out) == (4, "Ada may not log in any more.\n")
    assert "no such method" in failed.err
    assert account("disable", "Ada", "--enable").out == "Ada may log in again.\n"


def test_where_no_room_runs_the_aside_ones_are_a_command_away(server: Server) -> None:
    """A room that was put aside is in the other list, and may be why this one is empty."""
    nothing = ["answer", "rooms", json.dumps({"result": []})]
    server.start(READY, child(nothing, "ready"))
    server.wait_ready()
    done = perdure("rooms", "--state", server.state)
    assert (done.code, done.out) == (0, "No room runs. Was one put aside? perdure rooms --aside\n")


def test_status_reads_well(server: Server) -> None:
    """A person sees the processes; a program gets the documented fields."""
    server.start(READY, READY)
    server.wait_ready()
    done = perdure("status", "--state", server.state)
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0].startswith("Perdure ")
    assert re.fullmatch(r"telnet 127\.0\.0\.1 \d+", lines[1])
    assert re.fullmatch(r"web    http://127\.0\.0\.1:\d+/", lines[2])
    assert [line.split()[0] for line in lines if line.startswith(("supervisor", "gateway", "host-1"))] == [
        "supervisor",
        "gateway",
        "host-1",
    ]
    assert asked(server, "status").json["copyover"]["state"] == "idle"


def test_events_need_no_server_and_follow_one(server: Server) -> None:
    """Each event is one object a line, its seq rising by one; the follower ends with the server."""
    server.start(READY, READY)
    server.wait_ready()
    following = subprocess.Popen(
        command("events", "-f", "--json", "--state", server.state, "--since", "1"),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert following.stdout is not None
    first = json.loads(following.stdout.readline())
    host = server.pid("host-1")
    assert host > 1
    os.kill(host, signal.SIGKILL)
    server.wait_events("ready", "host-1", count=2)
    assert asked(server, "stop").json == {"stopped": True}
    seen = [first, *map(json.loads, following.stdout)]
    assert following.wait(DEADLINE_S) == 0
    following.stdout.close()
    assert [event["seq"] for event in seen] == list(range(2, len(seen) + 2))
    past = [json.loads(line) for line in asked(server, "events").out.splitlines()]
    assert [event["seq"] for event in past] == list(range(1, len(past) + 1))
    assert seen == past[1:]
    told = perdure("events", "-n", "3", "--state", server.state).out.splitlines()
    assert len(told) == 3
    assert told[-1].endswith("stopped")


def test_what_strangers_wrote_drives_no_terminal(server: Server) -> None:
    """Escapes in events and logs are gone when people read them, and whole for programs (FM-83)."""
    evil = "a\x1b]0;owned\x07b\x1b[2Jc\u202ed\x9b31me"
    server.start(READY, child(["print", evil], "ready", ["event", "fault", evil]))
    server.wait_ready()
    server.wait_events("fault")
    for arguments in (["events"], ["logs"], ["logs", "host-1"]):
        out = perdure(*arguments, "--state", server.state).out
        assert "abcd31me" in out
        assert not set(out) & set("\x1b\x07\u202e\x9b")
    found = [json.loads(line) for line in asked(server, "events").out.splitlines()]
    assert evil in [event.get("text") for event in found]


def test_logs_follow_what_processes_write(server: Server) -> None:
    """A game's print is there while it happens, named by its process."""
    server.start(READY, child(["print", "hello"], "ready"))
    server.wait_ready()
    following = subprocess.Popen(command("logs", "-f", "--state", server.state), stdout=subprocess.PIPE, text=True)
    assert following.stdout is not None
    try:
        assert following.stdout.readline() == "host-1   hello\n"
        host = server.pid("host-1")
        assert host > 1
        os.kill(host, signal.SIGKILL)
        assert following.stdout.readline() == "host-1   hello\n"
    finally:
        following.terminate()
        following.communicate()


def test_what_a_build_said_is_shown_to_who_asks_for_it(tmp_path: Path) -> None:
    """A thousand lines of a compiler do not bury what the processes log."""
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "build.log").write_text("cc -c reticulate.c\n")
    (logs / "host-1.log").write_text("hello\n")
    assert perdure("logs", "--state", tmp_path).out == "host-1   hello\n"
    assert perdure("logs", "build", "--state", tmp_path).out == "build    cc -c reticulate.c\n"


def test_stop_waits_until_the_server_has_ended(server: Server) -> None:
    """When the command returns, the processes are gone."""
    server.start(READY, READY)
    server.wait_ready()
    done = perdure("stop", "--state", server.state)
    assert (done.code, done.out) == (0, "Stopped.\n")
    assert server.end()[0] == 0
    assert perdure("status", "--state", server.state).code == 6


def test_stop_now_kills_what_does_not_end(server: Server) -> None:
    """Kill always works (FM-56)."""
    server.start(child("deny", "ready"), child("deny", "ready"))
    server.wait_ready()
    assert perdure("stop", "--now", "--state", server.state).code == 0
    assert server.end()[0] == 0
    assert len(server.events("killed")) == 2


def test_a_process_that_is_down_is_named(server: Server) -> None:
    """Exit 6 and what is going on, while the rest of the server answers."""
    server.start(READY, child("die"))
    server.wait_events("restarting", "host-1", count=3)
    done = perdure("rooms", "--state", server.state)
    assert done.code == 6
    assert "host-1 is" in done.err
    assert perdure("status", "--state", server.state).code == 0


def test_a_long_state_path_is_no_obstacle(tmp_path: Path) -> None:
    """A unix path holds 107 bytes; a folder may be deeper."""
    folder = tmp_path / ("long-" * 20) / ("name-" * 20)
    folder.mkdir(parents=True)
    server = Server(folder)
    try:
        server.start(READY, READY)
        wait_until(lambda: len(server.events("ready")) == 2)
        assert perdure("status", "--state", server.state).code == 0
        assert perdure("stop", "--state", server.state).code == 0
    finally:
        assert server.end()[0] == 0
