"""`perdure reload`: what it asks, what a person and a program read, how it ends."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.cli.reloading import RELOAD_TIMEOUT_S, combined
from perdure.movement.order import WATCH_S_MAX, ReloadOrder
from perdure.movement.report import (
    Canary,
    Failed,
    PauseMs,
    ReloadReport,
    Rooms,
    canary_event,
    encode,
)
from perdure.supervisor.control_socket import PATIENCE_S
from tests.cli.conftest import Done, child, perdure
from tests.supervisor.conftest import Server

READY = child("ready")
GAMES = [{"game": game, "path": f"/srv/{game}"} for game in ("mud", "arcade")]
LIVE = ReloadReport("mud", refreshed=["talk"], rooms=Rooms(14), pause_ms=PauseMs(0.1, 0.4), trigger="command")
BROKEN = ReloadReport("mud", failed=[Failed("places", "/srv/mud/places.py", 12, "invalid \x1b[2Jsyntax")])
PARTLY = ReloadReport("mud", refreshed=["talk"], rooms=Rooms(14), failed=BROKEN.failed)


def host(*reports: ReloadReport | dict[str, Any], games: list[dict[str, Any]] = GAMES) -> list[str]:
    """A host that answers `games`, and these reloads one after the other."""
    said = [{"result": encode(report)} if isinstance(report, ReloadReport) else report for report in reports]
    answers = [("answer", "reload", json.dumps(one)) for one in said]
    return child(("answer", "games", json.dumps({"result": games})), *answers, "ready")


def started(server: Server, host: list[str]) -> Server:
    server.start(READY, host)
    server.wait_ready()
    return server


def reload(server: Server, *arguments: str) -> Done:
    return perdure("reload", *arguments, "--state", server.state)


def test_what_is_live_is_told_and_ends_with_0(server: Server) -> None:
    """One line where all is well."""
    done = reload(started(server, host(LIVE)), "mud")
    assert (done.code, done.out, done.err) == (0, "mud: talk is new in 14 rooms (longest pause 0.4 ms).\n", "")


def test_a_broken_file_is_named_with_its_line_and_ends_with_3(server: Server) -> None:
    """Nothing changed; what authors wrote drives no terminal (FM-83)."""
    done = reload(started(server, host(BROKEN)), "mud")
    assert done.code == 3
    assert done.out.splitlines() == [
        "mud: nothing was changed.",
        "places.py:12: invalid syntax. The last good code of places serves.",
    ]


def test_what_is_partly_live_ends_with_5(server: Server) -> None:
    """A script knows that something waits to be mended."""
    done = reload(started(server, host(PARTLY)), "mud")
    assert done.code == 5
    assert len(done.out.splitlines()) == 2


def test_without_a_name_every_game_is_reloaded(server: Server) -> None:
    """One report each, for programs one object a line; the exit code is for all of them."""
    server = started(server, host(LIVE, encode_as("arcade", BROKEN), LIVE, encode_as("arcade", LIVE)))
    done = reload(server, "--json")
    assert [json.loads(line)["game"] for line in done.out.splitlines()] == ["mud", "arcade"]
    assert done.code == 5
    assert reload(server).code == 0


def encode_as(game: str, report: ReloadReport) -> ReloadReport:
    """The report as another game's."""
    return ReloadReport(game, refreshed=report.refreshed, failed=report.failed, rooms=report.rooms)


def test_the_json_is_what_the_host_answered(server: Server) -> None:
    """Also fields that this command does not know."""
    answer = {**encode(LIVE), "from_a_later_version": [1]}
    done = reload(started(server, host({"result": answer})), "mud", "--json")
    assert done.json == answer


def test_options_reach_the_host_as_they_were_given(server: Server, tmp_path: Path) -> None:
    """Every one of them; what was not said is not in force."""
    record = tmp_path / "requests"
    started(server, [*host(LIVE), f"record\t{record}"])
    reload(
        server, "mud.items.weapons", "--atomic", "--allow-destructive", "--drop-orphans", "--canary=10", "--watch=2.5"
    )
    reload(server, "arcade", "--dry-run")
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    asked, dry = [ReloadOrder(**params) for method, params in lines if method == "reload"]
    assert asked == ReloadOrder(
        "mud", "items.weapons", atomic=True, allow_destructive=True, drop_orphans=True, canary=10, watch_s=2.5
    )
    assert dry == ReloadOrder("arcade", dry_run=True)


def test_a_canary_shows_that_it_watches(server: Server) -> None:
    """On standard error, while the answer is still to come; events of other games are not shown."""
    canary = Canary(10, 30, ["a", "b"], True, "no faults")
    report = ReloadReport("mud", refreshed=["talk"], rooms=Rooms(20), canary=canary)
    events = [canary_event("arcade", 1, 2, 30.0), canary_event("mud", 2, 20, 30.0), {"kind": "other"}]
    done = reload(
        started(server, host({"events": events, "result": encode(report)})),
        *("mud", "--canary", "10", "--watch", "30"),
    )
    assert done.code == 0
    assert done.err == "mud: 2 of 20 rooms run the new code and are watched for 30.0 s\n"
    assert done.out.splitlines()[1] == "The canary in 2 rooms went on to all rooms after 30 s: no faults."


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["--watch", "30"], "--canary 10 --watch 60"),
        (["--canary", "10"], "--canary 10 --watch 60"),
        (["--canary", "10", "--watch", "30", "--dry-run"], "Ask for one of them"),
        (["--canary", "0", "--watch", "30"], "from 1 to 99"),
        (["--canary", "100", "--watch", "30"], "from 1 to 99"),
        (["--canary", "nan", "--watch", "30"], "from 1 to 99"),
        (["--canary", "10", "--watch", "-1"], "up to 3600 seconds"),
        (["--canary", "many", "--watch", "1"], "not a valid float"),
        (["mud", "talk"], "unexpected extra argument"),
    ],
    ids=" ".join,
)
def test_nonsense_is_a_usage_error_before_any_server_is_asked(
    tmp_path: Path, arguments: list[str], advice: str
) -> None:
    """Exit 2, what to do, and no look for a server."""
    done = perdure("reload", *arguments, "--state", tmp_path)
    assert done.code == 2
    assert advice in done.err
    assert "No server" not in done.err


def test_an_unknown_game_is_answered_with_the_nearest(server: Server) -> None:
    """Nothing was asked of any game."""
    done = reload(started(server, host(LIVE)), "mudd.talk")
    assert done.code == 4
    assert done.err == "perdure: no game 'mudd.talk'. Did you mean mud? There are arcade, mud. Nothing was changed.\n"


def test_without_a_server_it_says_so(tmp_path: Path) -> None:
    """Exit 6, as every command."""
    done = perdure("reload", "--state", tmp_path)
    assert done.code == 6
    assert "No server is running" in done.err


def test_modules_lists_the_generations(server: Server) -> None:
    """Which code is loaded, and in how many rooms: after a reload the old one goes."""
    listing = {
        "modules": [{"game": "mud", "module": "talk", "commands": ["say"], "faults": 0, "disabled": []}],
        "generations": [
            {"id": "aaaa", "game": "mud", "alive": True, "rooms": 12},
            {"id": "bbbb", "game": "mud", "alive": False, "rooms": 0},
        ],
    }
    started(server, child(("answer", "modules", json.dumps({"result": listing})), "ready"))
    lines = perdure("modules", "--state", server.state).out.splitlines()
    assert lines[0].split() == ["GAME", "MODULE", "COMMANDS", "FAULTS", "DISABLED"]
    assert lines[3].split() == ["GAME", "GENERATION", "ROOMS"]
    assert [line.split() for line in lines[4:]] == [["mud", "aaaa", "12"], ["mud", "bbbb", "0", "retired"]]


def test_no_canary_outlasts_the_patience_of_those_who_wait_for_it() -> None:
    """The supervisor waits as long as the command, also for the longest watch with reloads before it."""
    assert PATIENCE_S["reload"] >= RELOAD_TIMEOUT_S + WATCH_S_MAX


@given(st.lists(st.sampled_from([0, 3, 5]), max_size=5))
def test_several_games_end_with_one_exit_code(codes: list[int]) -> None:
    """0 only if all are live, 3 only if nothing changed anywhere, else 5."""
    code = combined(codes)
    assert (code == 0) == all(one == 0 for one in codes)
    assert (code == 3) == (bool(codes) and all(one == 3 for one in codes))
    assert code in (0, 3, 5)
