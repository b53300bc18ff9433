"""The supervisor's policy, with real processes: starts, deaths, restarts, stops, and what is left behind."""

import json
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.namespaces import may_unshare
from tests.supervisor.conftest import DEADLINE_S, HERE, Server, alive, child, finish, wait_until

READY = child("ready")


def test_a_clean_stop_ends_the_gateway_before_the_host_and_leaves_nothing(server: Server) -> None:
    """SIGTERM: both are asked, both exit 0, nobody is killed, the sockets' names are gone (FM-55)."""
    server.start(READY, READY)
    server.wait_ready()
    server.signal(signal.SIGTERM)
    code, out, err = server.end()
    assert (code, err) == (0, "")
    assert "Stopped. All is saved." in out
    ends = server.events("exited")
    assert [(event["name"], event["how"], event["ordered"]) for event in ends] == [
        ("gateway", "exited with code 0", True),
        ("host-1", "exited with code 0", True),
    ]
    assert not server.events("killed")
    assert not server.events("restarting")
    assert not (server.state / "control.sock").exists()
    assert not (server.state / "link.sock").exists()


@pytest.mark.parametrize("order", [signal.SIGTERM, signal.SIGINT])
def test_both_signals_of_an_operator_are_a_clean_stop(server: Server, order: signal.Signals) -> None:
    """Ctrl-C and `kill` mean the same."""
    server.start(READY, READY)
    server.wait_ready()
    server.signal(order)
    assert server.end()[0] == 0


def test_a_process_that_exits_with_0_unasked_has_died(server: Server) -> None:
    """An exit without an order is a death whatever its code says, and the process is started again (FM-55)."""
    flag = server.state / "flag"
    server.start(READY, child(["exit-first", flag, 0], "ready"))
    server.wait_ready()
    (event,) = server.events("exited")
    assert (event["name"], event["how"], event["ordered"]) == ("host-1", "exited with code 0", False)


def test_a_killed_host_is_replaced_at_once_and_the_gateway_stays(server: Server) -> None:
    """The first restart has no delay (P1)."""
    server.start(READY, READY)
    server.wait_ready()
    gateway, host = server.pid("gateway"), server.pid("host-1")
    assert host > 1
    os.kill(host, signal.SIGKILL)
    server.wait_events("ready", "host-1", count=2)
    (event,) = server.events("exited")
    assert event["how"] == "killed by SIGKILL"
    assert server.events("restarting")[0]["delay_s"] == 0
    assert server.pid("gateway") == gateway
    assert server.pid("host-1") != host


def test_a_killed_gateway_is_replaced_and_keeps_its_listeners(server: Server) -> None:
    """Connects queue in the listeners while no gateway is there; its epoch rises."""
    boot = server.state / "boot"
    server.start(child(["boot", boot], "ready"), READY)
    server.wait_ready()
    assert json.loads(boot.read_text())["epoch"] == 1
    (_, port), *_ = server.ask("status")["listening"]["telnet"]
    gateway = server.pid("gateway")
    assert gateway > 1
    os.kill(gateway, signal.SIGKILL)
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S):
        server.wait_events("ready", "gateway", count=2)
    assert json.loads(boot.read_text())["epoch"] == 2


def test_a_gateway_gets_the_listeners_of_telnet_and_of_the_web(server: Server) -> None:
    """Both are kept by the supervisor, and `status` and the first lines in the terminal say where."""
    boot = server.state / "boot"
    server.start(child(["boot", boot], "ready"), READY)
    server.wait_ready()
    listeners = json.loads(boot.read_text())["listeners"]
    assert (len(listeners["telnet"]), len(listeners["web"])) == (1, 1)
    ((host, port),) = server.ask("status")["listening"]["web"]
    socket.create_connection((host, port), timeout=DEADLINE_S).close()
    server.signal(signal.SIGTERM)
    assert f"http://127.0.0.1:{port}/" in server.end()[1]


def test_without_a_web_page_nothing_listens_for_one(server: Server) -> None:
    """`web = ""`."""
    config = server.project / "perdure.toml"
    config.write_text(config.read_text().replace('web = "127.0.0.1:0"', 'web = ""'))
    server.start(READY, READY)
    server.wait_ready()
    assert server.ask("status")["listening"]["web"] == []


def test_a_crash_loop_is_backed_off_and_visible(server: Server) -> None:
    """Delays double from 0.1 s; events and status say what is going on, and a stop works at any time (FM-57)."""
    flag = server.state / "flag"
    server.start(READY, child(["die-if", flag], "ready"))
    server.wait_ready()
    flag.touch()
    host = server.pid("host-1")
    assert host > 1
    os.kill(host, signal.SIGKILL)
    events = server.wait_events("restarting", "host-1", count=5)
    assert [event["delay_s"] for event in events[:5]] == [0, 0.1, 0.2, 0.4, 0.8]
    assert [event["attempt"] for event in events[:5]] == [1, 2, 3, 4, 5]
    state = {process["name"]: process["state"] for process in server.ask("status")["processes"]}
    assert state["gateway"] == "running"
    assert state["host-1"] in ("restarting", "starting")
    server.signal(signal.SIGTERM)
    assert server.end()[0] == 0


def test_one_durable_callback_ends_the_backoff(server: Server) -> None:
    """A host that did its work dies its next death for the first time."""
    server.start(READY, child("ready", ["event", "durable", ""]))
    for count in range(1, 4):
        server.wait_events("ready", "host-1", count=count)
        host = server.pid("host-1")
        assert host > 1
        os.kill(host, signal.SIGKILL)
        server.wait_events("restarting", "host-1", count=count)
    assert [event["delay_s"] for event in server.events("restarting")] == [0, 0, 0]
    assert not server.events("durable")


def test_a_game_that_does_not_load_ends_the_first_start_with_its_own_words(server: Server) -> None:
    """Before anything was ever served, an error is for the one who typed `perdure run` (exit 7)."""
    server.start(READY, child(["print", "mud/places.py:3: no such direction"], ["exit", 7]))
    code, _, err = server.end()
    assert code == 7
    assert "mud/places.py:3: no such direction" in err
    assert "nothing is served" in err
    assert not server.events("restarting")


def test_a_refusal_after_a_good_start_is_tried_again(server: Server) -> None:
    """A running server with players is never ended by an error in a file; it is named and tried again."""
    server.start(READY, child(["die-if", server.state / "nothing"], "ready"))
    server.wait_ready()
    host = server.pid("host-1")
    assert host > 1
    os.kill(host, signal.SIGKILL)
    server.wait_events("ready", "host-1", count=2)
    assert server.popen is not None
    assert server.popen.poll() is None


def test_a_host_killed_during_its_first_start_is_tried_again(server: Server) -> None:
    """Only an exit code is a refusal; a kill may be anybody's."""
    flag = server.state / "flag"
    flag.touch()
    server.start(READY, child(["die-if", flag], "ready"))
    server.wait_events("restarting", "host-1")
    flag.unlink()
    server.wait_ready()


def test_an_arranged_fault_is_for_the_first_incarnation_only(server: Server) -> None:
    """PERDURE_FAULT provokes one failure, not a crash loop."""
    server.env["PERDURE_FAULT"] = "host:boot=kill"
    seen = server.state / "seen"
    server.start(READY, child(["env", seen], ["exit-first", server.state / "flag", 70], "ready"))
    server.wait_ready()
    assert seen.read_text().split() == ["host:boot=kill", "none"]


def test_two_deaths_on_one_input_put_the_room_aside(server: Server) -> None:
    """The input is named, though the callback number moved on in between (FM-78)."""
    count = server.state / "count"
    first = ["slot", "arena", 41, "g-1-7", 1, 5]
    server.start(READY, child("ready", first, ["exit-first", count, 70], ["slot", "arena", 44, "g-1-7", 1, 5], "die"))
    (aside,) = server.wait_events("aside")
    assert (aside["room"], aside["session"], aside["j"], aside["n"]) == ("arena", "g-1-7", 1, 5)
    assert "input 5 of session g-1-7" in aside["reason"]
    assert (server.state / "aside").read_text() == "arena g-1-7 1 5\n"


def test_a_callback_that_cannot_be_cut_has_its_host_killed(server: Server) -> None:
    """Past its budget and one second more the host dies, and the slot names what it did (FM-40)."""
    flag = server.state / "flag"
    server.start(READY, child("ready", ["slot", "world", 9, "s", 1, 2]))
    (event,) = server.wait_events("killed", "host-1")
    assert "callback 9 of room world exceeded its budget" in event["reason"]
    (died,) = server.wait_events("died-executing")[:1]
    assert (died["room"], died["c"], died["n"]) == ("world", 9, 2)
    assert not flag.exists()


def test_a_stop_leaves_no_descendant_in_whatever_session_it_hides(server: Server) -> None:
    """Orphans in sessions of their own, deaf to SIGTERM, are found and killed (FM-52, G15)."""
    pids = server.state / "pids"
    server.start(child(["orphan", pids], "ready"), child(["orphan", str(pids) + "2"], "ready"))
    server.wait_ready()
    orphans = [int(file.read_text()) for file in (pids, Path(str(pids) + "2"))]
    assert all(map(alive, orphans))
    server.signal(signal.SIGTERM)
    assert server.end()[0] == 0
    assert not any(map(alive, orphans))


def test_a_dead_hosts_helpers_die_with_it_and_only_its_own(server: Server) -> None:
    """What a host started does not pile up over its restarts (FM-16)."""
    gateways, hosts = server.state / "gateways", server.state / "hosts"
    server.start(child(["orphan", gateways], "ready"), child(["orphan", hosts], "ready"))
    server.wait_ready()
    host, helper = server.pid("host-1"), int(hosts.read_text())
    assert host > 1
    hosts.unlink()
    os.kill(host, signal.SIGKILL)
    server.wait_events("ready", "host-1", count=2)
    assert not alive(helper)
    assert alive(int(gateways.read_text()))


def test_a_process_that_refuses_to_end_is_killed(server: Server) -> None:
    """Stuck in stopping ends by force, and a second signal makes it quick (FM-56)."""
    server.start(child("deny", "ready"), child("deny", "ready"))
    server.wait_ready()
    server.signal(signal.SIGTERM)
    server.wait_events("stopping")
    server.signal(signal.SIGTERM)
    server.wait_events("killed", "gateway")
    server.signal(signal.SIGTERM)
    code, out, _ = server.end()
    assert code == 0
    assert "Stopped in a hurry" in out
    assert [event["name"] for event in server.events("killed")] == ["gateway", "host-1"]


def test_a_stop_during_a_restart_starts_nobody(server: Server) -> None:
    """No respawn between the order and the end (FM-58)."""
    server.start(READY, child("die"))
    server.wait_events("restarting", "host-1", count=4)
    server.signal(signal.SIGTERM)
    server.wait_events("stopping")
    assert server.end()[0] == 0
    kinds = [(event["kind"], event.get("name")) for event in server.events("")] or None
    assert kinds is None
    log = [json.loads(line) for line in (server.state / "events.jsonl").read_text().splitlines()]
    after = log[[event["kind"] for event in log].index("stopping") :]
    assert "starting" not in [event["kind"] for event in after]


def test_an_output_flood_neither_blocks_the_child_nor_fills_the_disk(server: Server) -> None:
    """64 MiB of output pass, two bounded files stay, and what came last is readable (FM-59)."""
    server.start(READY, child(["flood", 64 << 20], ["print", "the last word"], "ready"))
    server.wait_ready()
    assert server.ask("status")["processes"]
    server.signal(signal.SIGTERM)
    assert server.end()[0] == 0
    logs = list((server.state / "logs").glob("host-1.log*"))
    assert len(logs) == 2
    assert sum(log.stat().st_size for log in logs) < 20 << 20
    assert (server.state / "logs" / "host-1.log").read_text().endswith("the last word\n")


def test_arguments_arrive_as_they_are(server: Server) -> None:
    """Spaces, quotes, unicode and newlines survive: no shell is in between (FM-60)."""
    out = server.state / "args"
    odd = ["a b", "it's", '"quoted"', "$HOME `id` \\", "déjà vu 🎲", "two\nlines", "", "*"]
    server.start(READY, child(["args", out, *odd], "ready"))
    server.wait_ready()
    assert json.loads(out.read_text())[1] == "\t".join(["args", str(out), *odd])


def test_each_child_has_a_session_of_its_own_and_no_terminal(server: Server) -> None:
    """Keys typed into the supervisor's terminal do not reach the game."""
    out = server.state / "session"
    server.start(READY, child(["session", out], "ready"))
    server.wait_ready()
    session, pid, terminal = json.loads(out.read_text())
    assert session == pid
    assert not terminal


def test_a_closed_terminal_changes_nothing(server: Server) -> None:
    """SIGHUP is ignored, Ctrl-Z too; the server goes on."""
    server.start(READY, READY)
    server.wait_ready()
    server.signal(signal.SIGHUP)
    server.signal(signal.SIGTSTP)
    assert [process["state"] for process in server.ask("status")["processes"]] == ["running"] * 3


def test_a_server_without_standard_streams_runs(server: Server) -> None:
    """Detached, with stdin, stdout and stderr closed."""
    order = json.dumps(
        {
            "project": str(server.project),
            "state": str(server.state),
            "commands": {"gateway": READY, "host-1": READY},
        }
    )
    command = [sys.executable, str(HERE / "supervise.py"), order]
    popen = subprocess.Popen(["/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command], start_new_session=True)
    try:
        server.wait_ready()
        assert server.ask("status")["processes"]
        assert server.ask("stop") == {"stopping": True}
        assert popen.wait(DEADLINE_S) == 0
    finally:
        popen.kill()
        popen.wait()


@pytest.mark.skipif(not may_unshare(), reason="needs the right to make a PID namespace")
def test_it_is_safe_as_pid_1(tmp_path: Path) -> None:
    """In a container: strays are reaped, signals work, nothing is left, and nobody signals -1 (FM-33, FM-54)."""
    server = Server(tmp_path, prefix=["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"])
    try:
        server.start(child(["orphan", server.state / "pids"], "ready"), READY)
        server.wait_ready()
        assert server.pid("supervisor") == 1
        assert server.ask("stop") == {"stopping": True}
        code, _, err = server.end()
        assert (code, err) == (0, "")
        assert [event["how"] for event in server.events("exited")] == ["exited with code 0"] * 2
    finally:
        finish(server)


def test_a_killed_supervisor_leaves_no_double_behind(server: Server) -> None:
    """The next one ends what its predecessor left before it starts anything (FM-53)."""
    pids = server.state / "pids"
    server.start(child("ready", ["orphan", pids], "hang"), child("ready", "hang"))
    server.wait_ready()
    wait_until(pids.exists, "the orphan")
    left = [server.pid("gateway"), server.pid("host-1"), int(wait_until(pids.read_text))]
    server.signal(signal.SIGKILL)
    server.end()
    server.start(READY, READY)
    server.wait_events("started", count=2)
    assert not any(map(alive, left))
    (event,) = server.events("leftovers")
    assert sorted(event["pids"]) == sorted(left)


@pytest.mark.parametrize("kind", ["telnet", "web"])
def test_a_taken_port_names_the_address_and_starts_nothing(server: Server, kind: str) -> None:
    """Exit 8, and how to find and choose another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = server.project / "perdure.toml"
        config.write_text(config.read_text().replace(f'{kind} = "127.0.0.1:0"', f'{kind} = "127.0.0.1:{port}"'))
        server.start(READY, READY)
        code, _, err = server.end()
    assert code == 8
    assert f"127.0.0.1:{port} is already in use, so nothing was started" in err
    assert f"--{kind}" in err
    assert not server.events("starting")


def test_a_request_for_a_host_that_is_down_says_so(server: Server) -> None:
    """Exit 6: who asks learns that it is being restarted, not that the socket is odd."""
    server.start(READY, child("die"))
    server.wait_events("restarting", "host-1", count=3)
    with pytest.raises(Exception, match=r"host-1 is (being restarted|starting)") as caught:
        server.ask("rooms")
    assert getattr(caught.value, "exit", None) == 6


def test_requests_reach_the_process_that_knows(server: Server) -> None:
    """Rooms are the host's, sessions the gateway's; a log level is everybody's."""
    server.start(child("ready"), child("ready"))
    server.wait_ready()
    shown = {"method": "room.show", "params": {"room": "world"}, "host": "host-1"}
    assert server.ask("room.show", room="world") == shown
    assert server.ask("sessions")["method"] == "sessions"
    assert set(server.ask("log-level", level="debug")) == {"gateway", "host-1"}


def test_followers_see_each_event_once_and_in_order(server: Server) -> None:
    """The numbers rise by one, also over the restart of the whole server."""
    server.start(READY, child("ready", ["event", "fault", "first"]))
    with server.client() as client:
        known = client.request("events", {"follow": True})
        server.wait_ready()
        client.request("stop")
        seen = known + list(client.events())
    assert server.end()[0] == 0
    server.start(READY, READY)
    server.wait_events("ready", "host-1", count=2)
    numbers = [event["seq"] for event in map(json.loads, (server.state / "events.jsonl").read_text().splitlines())]
    assert numbers == list(range(1, len(numbers) + 1))
    assert [event["seq"] for event in seen] == list(range(1, len(seen) + 1))
    assert {"kind": "fault", "text": "first", "name": "host-1"}.items() <= seen[
        [event["kind"] for event in seen].index("fault")
    ].items()


def test_a_child_that_breaks_the_protocol_is_replaced(server: Server) -> None:
    """A channel that says nonsense is of no use: its process is ended, and says why in the log."""
    server.start(READY, child("ready", "nonsense", "deny", "hang"))
    (event, *_) = server.wait_events("killed", "host-1")
    assert "broke the control protocol" in event["reason"]
    server.wait_events("starting", "host-1", count=2)


def test_a_process_that_closes_its_channel_is_replaced(server: Server) -> None:
    """Alive but out of reach is dead (FM-9)."""
    server.start(READY, child("ready", "close", "hang"))
    (event, *_) = server.wait_events("killed", "host-1")
    assert event["reason"] == "its control channel is closed"


def test_the_sockets_are_their_owners_alone_and_paths_may_be_long(tmp_path: Path) -> None:
    """Mode 0600, also where a unix path is too long for the kernel's 107 bytes."""
    folder = tmp_path / ("a-long-name-" * 6) / ("another-long-name-" * 4)
    folder.mkdir(parents=True)
    server = Server(folder)
    boot = folder / "boot"
    try:
        server.start(READY, child(["boot", boot], "ready"))
        server.wait_ready()
        for name in ("control.sock", "link.sock"):
            mode = (server.state / name).stat().st_mode
            assert stat.S_ISSOCK(mode)
            assert stat.S_IMODE(mode) == 0o600
        assert len(json.loads(boot.read_text())["link_path"]) <= 107
    finally:
        finish(server)


def test_a_stale_or_empty_file_fakes_and_blocks_no_start(server: Server) -> None:
    """Sockets, logs and event files of a dead server, empty or torn, are no obstacle (FM-35)."""
    for name in ("control.sock", "link.sock", "build.json"):
        (server.state / name).touch()
    (server.state / "events.jsonl").write_text('{"seq": 7, "at": "", "kind": "old"}\n{"seq": 8, "at')
    server.start(READY, READY)
    server.wait_ready()
    log = [line for line in (server.state / "events.jsonl").read_text().splitlines() if '"started"' in line]
    assert json.loads(log[0])["seq"] == 8


def test_a_supervisor_without_descriptors_tries_again(server: Server) -> None:
    """A restart that cannot be had now is had later, and nothing else of the server ends (FM-31)."""
    server.start(READY, READY)
    server.wait_ready()
    host, supervisor = server.pid("host-1"), server.pid("supervisor")
    assert host > 1
    before = resource.prlimit(supervisor, resource.RLIMIT_NOFILE)
    resource.prlimit(supervisor, resource.RLIMIT_NOFILE, (5, before[1]))
    os.kill(host, signal.SIGKILL)
    server.wait_events("restarting", "host-1", count=2)
    assert "could not be started" in server.events("exited", "host-1")[-1]["how"]
    resource.prlimit(supervisor, resource.RLIMIT_NOFILE, before)
    server.wait_events("ready", "host-1", count=2)


@pytest.mark.parametrize("order", [signal.SIGTERM, signal.SIGINT])
def test_an_order_to_stop_while_it_starts_is_a_clean_stop(server: Server, order: signal.Signals) -> None:
    """At whatever moment a signal comes, nothing of the server is left and nobody sees a traceback (FM-41)."""
    server.start(child(["orphan", server.state / "pids"]), child("hang"))
    server.wait_events("starting", "host-1")
    server.signal(order)
    code, _, err = server.end()
    assert (code, err) == (0, "")
    pids = server.state / "pids"
    assert not pids.exists() or not any(alive(int(pid)) for pid in pids.read_text().split())


def test_status_measures_every_process(server: Server) -> None:
    """The fields that programs rely on (docs/protocols.md)."""
    server.start(READY, READY)
    server.wait_ready()
    status = server.ask("status")
    assert status.keys() >= {"version", "build", "state_dir", "uptime_s", "processes", "copyover", "last_recovery"}
    assert status["build"].keys() == {"number", "source"}
    assert [process["name"] for process in status["processes"]] == ["supervisor", "gateway", "host-1"]
    for process in status["processes"]:
        assert process.keys() - {"serves"} == {"name", "pid", "state", "build", "uptime_s", "rss_bytes", "fds"}
        assert process.get("serves", False) == (process["name"] == "host-1")
        assert process["rss_bytes"] > 0
        assert process["fds"] > 0
