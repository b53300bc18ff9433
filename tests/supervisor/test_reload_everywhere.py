"""`perdure reload` where several hosts have rooms: real processes, fake hosts."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from perdure.errors import RemoteError
from perdure.movement.report import Generations, RefusedRoom, ReloadReport, Rooms, decode, encode, exit_code
from tests.supervisor.conftest import Server, child

READY = child("ready")
LIVE = ReloadReport("game", refreshed=["inn"], rooms=Rooms(3), generation=Generations("a", "b"))
BROKEN = ReloadReport("game", aborted="what is on disk does not load.", generation=Generations("a", "a"))


def host(state: Path, name: str, said: ReloadReport | dict[str, Any], *rooms: tuple[str, str]) -> Sequence[str]:
    """A host with these (room, game) that answers a reload so; what it was asked stands in STATE/NAME."""
    line = {"result": encode(said)} if isinstance(said, ReloadReport) else said
    listed = {"result": [{"id": room, "game": game, "epoch": 1} for room, game in rooms]}
    return child(
        ["record", state / name],
        ["answer", "rooms", json.dumps(listed)],
        ["answer", "reload", json.dumps(line)],
        "ready",
    )


def reloads(state: Path, name: str) -> list[dict[str, Any]]:
    """The params of each reload that the host was asked for."""
    file = state / name
    asked = map(json.loads, file.read_text().splitlines()) if file.exists() else []
    return [params for method, params in asked if method == "reload"]


def started(server: Server, first: ReloadReport | dict[str, Any], second: ReloadReport | dict[str, Any]) -> Server:
    """Two hosts: the first serves, the second has the arena."""
    state = server.state
    one, two = host(state, "one", first, ("inn", "game")), host(state, "two", second, ("arena", "game"))
    server.start(READY, list(one), list(two))
    server.wait_ready()
    server.ask("host.start")
    return server


def test_every_host_with_rooms_takes_the_code_that_serves(server: Server) -> None:
    """The others go to the stored code by its id: a file that is saved in between changes nothing of that."""
    started(server, LIVE, ReloadReport("game", refreshed=["inn"], rooms=Rooms(2)))
    report = decode(server.ask("reload", game="game", module="inn", allow_destructive=True))
    assert report.rooms == Rooms(5)
    assert report.refreshed == ["inn"]
    assert reloads(server.state, "one") == [{"game": "game", "module": "inn", "allow_destructive": True}]
    (asked,) = reloads(server.state, "two")
    assert (asked["game"], asked["module"], asked["generation"]) == ("game", "", "b")
    assert asked["allow_destructive"] is True


def test_a_dry_run_looks_at_the_disk_in_every_host(server: Server) -> None:
    """Nothing of it is stored, so nothing could be named."""
    started(server, LIVE, LIVE)
    assert decode(server.ask("reload", game="game", dry_run=True)).rooms == Rooms(6)
    (asked,) = reloads(server.state, "two")
    assert (asked["generation"], asked["dry_run"]) == ("", True)


def test_what_does_not_load_where_it_serves_goes_nowhere(server: Server) -> None:
    """Nothing was changed is true of all rooms."""
    started(server, BROKEN, LIVE)
    assert exit_code(decode(server.ask("reload", game="game"))) == 3
    assert not reloads(server.state, "two")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (BROKEN, "host-2: what is on disk does not load."),
        ({"error": {"message": "Rooms are on their way", "exit": 4}}, "host-2: Rooms are on their way"),
    ],
    ids=["aborted", "refused"],
)
def test_rooms_that_stay_with_their_code_are_named(server: Server, said: Any, reason: str) -> None:
    """A host that refuses is no reason to say nothing of it, and the exit code says that it is partly done."""
    report = decode(started(server, LIVE, said).ask("reload", game="game"))
    assert report.rooms == Rooms(3, [RefusedRoom("arena", reason)])
    assert not report.aborted
    assert exit_code(report) == 5


def test_a_canary_over_several_hosts_is_refused_with_the_way_out(server: Server) -> None:
    """It compares rooms side by side, and the others are elsewhere."""
    started(server, LIVE, LIVE)
    with pytest.raises(RemoteError, match=r"host-2 has 1 room as well \(arena\).*perdure room move ROOM host-1"):
        server.ask("reload", game="game", canary=10, watch_s=1)
    assert not reloads(server.state, "one")


def test_a_host_without_rooms_of_the_game_is_not_asked(server: Server) -> None:
    """Another game's rooms are none of it, and its report is the serving host's own."""
    started(server, LIVE, LIVE)
    assert server.ask("reload", game="other") == encode(LIVE)
    assert not reloads(server.state, "two")
