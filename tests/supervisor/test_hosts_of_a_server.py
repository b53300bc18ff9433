"""Several hosts under one supervisor, as its control socket shows them: real processes, fake hosts."""

import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from perdure.errors import RemoteError
from tests.supervisor.conftest import Server, alive, child, wait_until

READY = child("ready")


def kill(server: Server, name: str) -> None:
    pid = server.pid(name)
    assert pid > 1
    os.kill(pid, signal.SIGKILL)


def rooms(*listed: dict[str, Any]) -> Sequence[object]:
    """The deed of a host that has these rooms."""
    return ["answer", "rooms", json.dumps({"result": listed})]


def recorded(file: Path, method: str) -> list[dict[str, Any]]:
    """The params of each such request that a child wrote down."""
    lines = map(json.loads, file.read_text().splitlines()) if file.exists() else []
    return [params for asked, params in lines if asked == method]


def incarnation(boot: Path) -> str:
    return str(json.loads(boot.read_text())["incarnation"])


def test_one_more_host_takes_nothing_and_is_listed(server: Server) -> None:
    """Its boot document says so, and that the clock of the rooms is the same in both."""
    first, second = server.state / "first", server.state / "second"
    server.start(READY, child(["boot", first], "ready"), child(["boot", second], "ready"))
    server.wait_ready()
    assert server.ask("host.start") == {"name": "host-2"}
    assert [*server.processes()] == ["supervisor", "gateway", "host-1", "host-2"]
    assert {process["state"] for process in server.processes().values()} == {"running"}
    boots = [json.loads(file.read_text()) for file in (first, second)]
    assert [boot["role"] for boot in boots] == ["serve", "empty"]
    assert [boot["niced"] for boot in boots] == [False, False]
    assert boots[0]["clock_zero_ns"] == boots[1]["clock_zero_ns"] > 0
    assert boots[0]["slot_fd"] != boots[1]["slot_fd"]
    assert boots[0].keys() == boots[1].keys() >= {"build", "build_source", "link_path", "incarnation"}


def test_a_host_ends_in_order_and_its_name_is_never_used_again(server: Server) -> None:
    """Its end is none of the server, and leaves none of its descendants (FM-52, FM-55)."""
    orphan = server.state / "orphan"
    server.start(READY, READY, child(["orphan", orphan], "ready"), READY)
    server.wait_ready()
    server.ask("host.start")
    assert server.ask("host.stop", host="host-2") == {"stopped": "host-2"}
    (event,) = server.events("exited")
    assert (event["name"], event["how"], event["ordered"]) == ("host-2", "exited with code 0", True)
    assert not alive(int(orphan.read_text()))
    assert "host-2" not in server.processes()
    assert server.ask("host.start") == {"name": "host-3"}
    assert [*server.processes()] == ["supervisor", "gateway", "host-1", "host-3"]
    assert not server.events("restarting")


def test_a_stop_that_would_cost_something_is_refused(server: Server) -> None:
    """The serving host, one that has rooms, and one that is not there; each with the next step."""
    server.start(READY, READY, child("ready", rooms({"id": "arena", "epoch": 2})))
    server.wait_ready()
    server.ask("host.start")
    with pytest.raises(RemoteError, match=r"host-1 serves.*perdure copyover"):
        server.ask("host.stop", host="host-1")
    with pytest.raises(RemoteError, match=r"host-2 has 1 room: arena\..*perdure room move ROOM host-1"):
        server.ask("host.stop", host="host-2")
    with pytest.raises(
        RemoteError, match=r"There is no host 'host-22'\. Did you mean host-2\? There are host-1, host-2\."
    ):
        server.ask("host.stop", host="host-22")
    assert not server.events("exited")


def test_a_host_that_does_not_get_ready_is_refused_with_its_own_words(server: Server) -> None:
    """It is not started again, and the server goes on as before (FM-31, FM-57)."""
    server.start(READY, READY, child(["print", "no module named mud"], ["exit", 7]), child("die"), ["/no/such/python"])
    server.wait_ready()
    for said in (r"exited with code 7 before it was ready.*\n.*no module named mud", "killed by SIGKILL", "/no/such"):
        with pytest.raises(RemoteError, match=said):
            server.ask("host.start")
    assert [*server.processes()] == ["supervisor", "gateway", "host-1"]
    assert not server.events("restarting")
    server.signal(signal.SIGTERM)
    assert server.end()[0] == 0


def test_a_dead_hosts_rooms_go_to_the_serving_one(server: Server) -> None:
    """It is not started again: its program may be why it died."""
    asked, boot = server.state / "asked", server.state / "boot"
    server.start(READY, child(["record", asked], "ready"), child(["boot", boot], "ready"))
    server.wait_ready()
    server.ask("host.start")
    kill(server, "host-2")
    (event,) = server.wait_events("host-lost")
    assert (event["name"], event["to"]) == ("host-2", "host-1")
    wait_until(lambda: recorded(asked, "recover"), "the request to recover")
    assert recorded(asked, "recover") == [{"dead": [incarnation(boot)]}]
    assert [*server.processes()] == ["supervisor", "gateway", "host-1"]
    assert not server.events("restarting")


def test_a_host_that_died_while_nobody_could_take_its_rooms_is_not_forgotten(server: Server) -> None:
    """The serving host that was starting may have read the journals before; it is asked when it is ready."""
    asked, boot, gate = server.state / "asked", server.state / "boot", server.state / "gate"
    one = child(["record", asked], ["wait", gate], "ready")
    gate.touch()
    server.start(READY, one, child(["boot", boot], "ready"))
    server.wait_ready()
    server.ask("host.start")
    gate.unlink()
    kill(server, "host-1")
    server.wait_events("starting", "host-1", count=2)
    kill(server, "host-2")
    server.wait_events("host-lost")
    assert not recorded(asked, "recover")
    gate.touch()
    wait_until(lambda: recorded(asked, "recover"), "the request to recover")
    assert recorded(asked, "recover") == [{"dead": [incarnation(boot)]}]


def test_a_recovery_that_failed_is_asked_for_again(server: Server) -> None:
    """The event says why; it stops when the rooms are taken."""
    asked = server.state / "asked"
    refusal, answer = {"error": {"message": "the disk is full", "exit": 1}}, {"result": {"rooms": 3}}
    answers = [["answer", "recover", json.dumps(line)] for line in (refusal, refusal, answer)]
    server.start(READY, child(["record", asked], *answers, "ready"), READY)
    server.wait_ready()
    server.ask("host.start")
    kill(server, "host-2")
    wait_until(lambda: len(recorded(asked, "recover")) == 3, "three requests to recover")
    (event,) = server.events("recover-failed")
    assert event["reason"] == "the disk is full"


def test_an_input_that_kills_two_hosts_has_killed_twice(server: Server) -> None:
    """Whoever had the room: the input is named, and the room is put aside (FM-78)."""
    server.start(
        READY,
        child("ready", ["on", "recover", "slot", "arena", 44, "g-1-7", 1, 5], ["on", "recover", "die"]),
        child("ready", ["on", "log-level", "slot", "arena", 41, "g-1-7", 1, 5], ["on", "log-level", "die"]),
    )
    server.wait_ready()
    server.ask("host.start")
    with pytest.raises(RemoteError):
        server.ask("log-level", level="info")
    (died,) = server.wait_events("died-executing")
    (aside,) = server.wait_events("aside")
    assert (died["room"], died["c"]) == ("arena", 41)
    assert (aside["room"], aside["c"], aside["n"]) == ("arena", 44, 5)
    assert (server.state / "aside").read_text() == "arena g-1-7 1 5\n"


def test_rooms_of_all_hosts_are_listed_once(server: Server) -> None:
    """Each says whose it is; while a room moves and both have it, the higher epoch is right."""
    ours = rooms({"id": "world", "epoch": 3}, {"id": "arena", "epoch": 4})
    theirs = rooms({"id": "arena", "epoch": 5}, {"id": "pit", "epoch": 1})
    games = [["answer", "games", json.dumps({"result": [{"game": "mud", "rooms": count}]})] for count in (2, 1)]
    server.start(READY, child(ours, games[0], "ready"), child(theirs, games[1], "ready"))
    server.wait_ready()
    server.ask("host.start")
    assert {room["id"]: room["host"] for room in server.ask("rooms")} == {
        "world": "host-1",
        "arena": "host-2",
        "pit": "host-2",
    }
    assert len(server.ask("rooms")) == 3
    assert server.ask("games") == [{"game": "mud", "rooms": 3, "host": "host-1"}]
    assert server.ask("modules") == {"modules": [], "generations": []}


def test_a_room_is_asked_of_in_the_host_that_owns_it(server: Server) -> None:
    """The owner row says which; a room whose owner is gone is the serving host's."""
    boot = server.state / "boot"
    server.start(READY, READY, child(["boot", boot], "ready"))
    server.wait_ready()
    server.ask("host.start")
    (server.state / "owner-arena").write_text(incarnation(boot))
    (server.state / "owner-pit").write_text("host-that-is-gone")
    shown = {room: server.ask("room.show", room=room)["host"] for room in ("arena", "pit", "world")}
    assert shown == {"arena": "host-2", "pit": "host-1", "world": "host-1"}


def test_a_room_that_has_just_moved_is_asked_of_again(server: Server) -> None:
    """The old host refuses what is no longer its; the row says where it went."""
    boot, owner = server.state / "boot", server.state / "owner-arena"
    gone = {"error": {"message": "no room arena", "exit": 4}}
    moved = ["on", "room.show", "own", owner, boot]
    server.start(
        READY, child("ready", moved, ["answer", "room.show", json.dumps(gone)]), child(["boot", boot], "ready")
    )
    server.wait_ready()
    server.ask("host.start")
    assert server.ask("room.show", room="arena")["host"] == "host-2"
    with pytest.raises(RemoteError, match=r"no room .pit."):
        server.ask("room.show", room="pit")


def test_a_stop_ends_the_gateway_first_and_then_every_host(server: Server) -> None:
    """Whatever their number (FM-55, FM-56)."""
    server.start(READY, READY, child("deny", "ready"), READY)
    server.wait_ready()
    server.ask("host.start")
    server.ask("host.start")
    for _ in range(3):
        server.signal(signal.SIGTERM)
        server.wait_events("stopping")
    assert server.end()[0] == 0
    ends = server.events("exited")
    assert ends[0]["name"] == "gateway"
    assert {event["name"] for event in ends} == {"gateway", "host-1", "host-2", "host-3"}
    assert all(event["ordered"] for event in ends)
    assert not server.events("restarting")


def test_a_killed_supervisor_leaves_none_of_its_hosts_behind(server: Server) -> None:
    """The next one ends them all before it starts anything (FM-53)."""
    server.start(READY, child("ready", "hang"), child("ready", "hang"))
    server.wait_ready()
    server.ask("host.start")
    left = [server.pid(name) for name in ("host-1", "host-2")]
    server.signal(signal.SIGKILL)
    server.end()
    server.start(READY, READY)
    server.wait_events("started", count=2)
    assert not any(map(alive, left))
    server.wait_events("ready", "host-1", count=2)


def test_the_configured_program_is_read_at_each_start(server: Server) -> None:
    """`[host] command` may name another interpreter today than yesterday."""
    config, seen = server.project / "perdure.toml", server.state / "seen"
    server.start(READY, READY)
    server.wait_ready()
    before = config.read_text()
    config.write_text(before + f"[host]\ncommand = {json.dumps(child(['args', seen], 'ready'))}\n")
    assert server.ask("host.start") == {"name": "host-2"}
    assert json.loads(seen.read_text())[1:] == [f"args\t{seen}", "ready"]
    config.write_text(before + '[host]\ncommand = ["venv/bin/python", "-m", "perdure.host"]\n')
    with pytest.raises(
        RemoteError, match=rf"no program {server.project}/venv/bin/python.*Nothing was started"
    ) as caught:
        server.ask("host.start")
    assert caught.value.exit == 7
    assert len(server.processes()) == 4


def test_a_server_with_a_program_that_is_not_there_does_not_start(server: Server) -> None:
    """Exit 7, with the file and the key."""
    config = server.project / "perdure.toml"
    config.write_text(config.read_text() + '[host]\ncommand = ["/no/such/python"]\n')
    server.start(READY)
    code, _, err = server.end()
    assert code == 7
    assert f"{config}: [host] command: there is no program /no/such/python" in err
    assert not server.events("starting")


def test_an_arranged_fault_reaches_the_host_that_it_names(server: Server) -> None:
    """Later hosts get nothing but what is theirs, and once."""
    server.env["PERDURE_FAULT"] = "host:boot=kill,host-2/host:stop=kill,host-3/host:stop=exit"
    seen = [server.state / name for name in ("gateway", "one", "two")]
    gateway, one, two = (child(["env", file], "ready") for file in seen)
    server.start(gateway, one, two)
    server.wait_ready()
    server.ask("host.start")
    assert [file.read_text().strip() for file in seen] == ["host:boot=kill"] * 2 + ["host-2/host:stop=kill"]


def test_builds_are_numbered_by_what_hosts_say_they_are(server: Server) -> None:
    """The number rises when a host starts whose source is not the newest; the same source is the same build."""
    one, two = (child(["ready", json.dumps({"source": source})]) for source in ("aaaaaaaaaaaa", "bbbbbbbbbbbb"))
    server.start(READY, one, one, two, one)
    server.wait_ready()
    for _ in range(3):
        server.ask("host.start")
    assert [process["build"] for process in server.processes().values()] == [1, 1, 1, 1, 2, 3]
    assert server.ask("version")["build"] == {"number": 1, "source": "aaaaaaaaaaaa"}
    assert [event.get("build") for event in server.events("ready") if event["name"] != "gateway"] == [1, 1, 2, 3]


def test_a_ready_that_does_not_fit_is_not_believed(server: Server) -> None:
    """A host of a Perdure to come may say what this one cannot read: it is ended, and that is why."""
    server.start(READY, READY, child(["ready", '{"link": "2"}'], "deny", "hang"))
    server.wait_ready()
    with pytest.raises(RemoteError, match="broke the control protocol: its notification `ready` does not fit"):
        server.ask("host.start")
    assert [*server.processes()] == ["supervisor", "gateway", "host-1"]
