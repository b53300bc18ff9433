"""The build of a copyover, and a copyover that fails, under a real supervisor."""

import os
import signal
from pathlib import Path

from perdure.supervisor.building import LINE_CHARS_MAX, LINES_MAX, Lines
from tests.supervisor.conftest import Server, alive, child, wait_until

READY = child("ready")


def configure(server: Server, script: str) -> None:
    file = server.project / "perdure.toml"
    file.write_text(file.read_text() + f'[copyover]\nbuild = ["/bin/sh", "-c", """{script}"""]\n')


def test_a_build_runs_in_the_project_and_its_output_is_shown(server: Server) -> None:
    """Its failure ends the copyover, and no host is started."""
    configure(server, "echo \\u001b[31mhere; pwd; echo not good >&2; exit 3")
    server.start(READY, READY)
    server.wait_ready()
    host = server.pid("host-1")
    report = server.ask("copyover")
    assert (report["outcome"], report["aborted_at"], report["serving"]) == ("aborted", "build", "host-1")
    assert report["reason"] == "the build exited with code 3; the last that it said: not good. No host was started."
    lines = [event["line"] for event in server.events("copyover-build")]
    assert lines == ["here", str(server.project), "not good"]
    assert server.ask("copyover.status") == {"state": "idle", "phase": None}
    assert server.ask("copyover.history") == [report]
    assert server.pid("host-1") == host


def test_a_cancelled_build_leaves_no_process(server: Server) -> None:
    """Neither what it started in a session of its own (FM-16, FM-38)."""
    pids = server.state / "build-pids"
    configure(server, f"echo $$ > {pids}; setsid sleep 600 & echo $! >> {pids}; sleep 600")
    server.start(READY, READY)
    server.wait_ready()
    server.signal(signal.SIGUSR1)
    started = wait_until(lambda: found if len(found := _pids(pids)) == 2 else None, "a build")
    assert server.ask("copyover.status")["phase"] == "build"
    server.ask("copyover.cancel", by="ada")
    report = wait_until(lambda: server.ask("copyover.history"), "a report")[0]
    assert (report["outcome"], report["reason"], report["trigger"]) == ("aborted", "cancelled by ada", "signal")
    wait_until(lambda: not any(map(alive, started)), "the end of the build")


def test_a_stop_while_it_builds_is_a_clean_stop(server: Server) -> None:
    """The copyover is aborted, then the server stops (FM-41)."""
    pids = server.state / "build-pids"
    configure(server, f"echo $$ > {pids}; echo $$ >> {pids}; sleep 600")
    server.start(READY, READY)
    server.wait_ready()
    server.signal(signal.SIGUSR1)
    started = wait_until(lambda: found if len(found := _pids(pids)) == 2 else None, "a build")
    server.signal(signal.SIGTERM)
    code, _, err = server.end()
    assert (code, err) == (0, "")
    assert not any(map(alive, started))
    assert [event["kind"] for event in server.events("copyover-failed")] == ["copyover-failed"]


def test_a_supervisor_that_is_killed_in_a_copyover_tells_so_afterwards(server: Server) -> None:
    """The next one knows that it was interrupted."""
    configure(server, "sleep 600")
    server.start(READY, READY)
    server.wait_ready()
    server.signal(signal.SIGUSR1)
    server.wait_events("copyover-phase")
    server.signal(signal.SIGKILL)
    server.end()
    server.start(READY, READY)
    server.wait_ready()
    assert [report["outcome"] for report in server.ask("copyover.history")] == ["interrupted"]


def test_a_host_that_cannot_be_asked_to_move_is_left_as_it_is(server: Server) -> None:
    """The host of an earlier version refuses the first question."""
    server.start(READY, READY)
    server.wait_ready()
    report = server.ask("copyover")
    assert (report["outcome"], report["aborted_at"], report["serving"]) == ("aborted", "boot", "host-1")
    assert len(server.events("starting", "host-2")) == 0


def _pids(file: Path) -> list[int]:
    return [int(pid) for pid in file.read_text().split()] if file.exists() else []


def test_a_flood_of_lines_is_bounded() -> None:
    """The first ones, each of a bounded length, and where the others are (FM-59)."""
    told: list[str] = []
    lines = Lines(told.append)
    for _ in range(1000):
        lines.feed(b"x" * 300)
        lines.feed(b"y" * 3000 + b"\n")
    lines.feed(os.urandom(100).replace(b"\n", b""))
    lines.end()
    assert len(told) == LINES_MAX + 1
    assert max(map(len, told)) == LINE_CHARS_MAX
    assert "logs/build.log" in told[-1]
