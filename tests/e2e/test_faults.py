"""Each fault point once, in the process that it belongs to, with players whose lines the checker follows.

What is arranged happens to the first process of a name; the ones that are started after it run without.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from perdure.faults import POINTS
from tests.e2e import test_copyover_faults, test_reload_canary
from tests.e2e.checker import check
from tests.e2e.clients import LineClient, find_mark, mark, players
from tests.e2e.server import DEADLINE_S, ROOT, Server, kill, mud, serving, wait_until
from tests.e2e.talk import talking
from tests.e2e.test_copyover_faults import COPYING_OVER
from tests.e2e.test_copyover_faults import CRASH_TABLE as COPYOVER_CRASH_TABLE
from tests.e2e.test_reload_faults import RELOADING, cases

PLAYED = [
    "host:before-callback=kill@40",
    "host:after-callback=exit@40",
    "host:after-append=kill@40",
    "host:after-release=kill@40",
    "host:go-durable=kill@2",
    "host:join-durable=kill@5",
    "host:mail-durable=kill@2",
    "host:base-captured=kill@3",
    "host:base-stored=kill@3",
    "store:append=raise@40",
    "store:blob-rename=kill@3",
    "store:blob-folder-sync=kill@3",
]
"""The host dies of it in the middle of the game. The first two blobs are the first bases of the two rooms."""
PLAYED_LONG = [
    "host:before-callback=hang@40",
    "host:after-callback=kill@40",
    "host:after-callback=hang@40",
    "host:after-append=exit@40",
    "host:after-append=hang@40",
    "host:after-release=exit@40",
    "host:after-release=hang@40",
    "store:append=kill@40",
    "store:append=hang@40",
    "store:blob-write=kill@3",
]

SYNCED, SYNCED_LONG = ["store:sync=raise@20"], ["store:sync=kill@20"]
"""The same, for games that wait for the disk."""

RECOVERING = [
    "host:boot=kill",
    "host:recover-read=kill",
    "host:recover-claimed=kill",
    "store:owner-commit=kill",
    "store:allocate=kill",
]
"""A host that takes the rooms of a dead one meets it."""
RECOVERING_LONG = ["host:boot=exit", "host:boot=hang", "store:allocate=raise"]

FIRST_START = ["store:owner-commit=kill", "store:blob-write=kill"]
"""There is nothing yet, and the first host dies while it makes it."""
FIRST_START_LONG = ["host:boot=kill", "host:recover-claimed=kill"]

SURVIVED, SURVIVED_LONG = ["store:blob-write=raise@4"], ["store:blob-rename=raise@4", "store:blob-folder-sync=raise@4"]
"""A base fails, and is tried again; the host goes on."""

GATEWAY = ["gateway:accepted=kill@4", "gateway:event-appended=kill@30", "gateway:before-show=kill@80"]
GATEWAY_SURVIVED = ["gateway:accepted=raise@4,gateway:before-show=raise@80", "gateway:event-appended=raise@30"]
STOPPING, STOPPING_LONG = ["host:stop=kill"], ["host:stop=raise", "host:stop=hang"]
SUPERVISOR, SUPERVISOR_LONG = ["supervisor:host-died=kill"], ["supervisor:host-died=exit"]

CRASH_TABLE = {
    "during a callback (no record yet)": ["host:before-callback", "host:after-callback", "store:append"],
    "record written, nothing released": ["host:after-append"],
    "released, what was in the link's buffer lost": ["host:after-release"],
    "during a recovery by H": ["host:recover-read", "host:recover-claimed"],
    "go durable, not delivered": ["host:go-durable"],
    "go seen, join not durable in the target": ["test_a_join_that_is_not_durable_is_sent_again"],
}
"""Rows of the crash table (docs/protocols.md) that involve no move, and what shows each of them here."""

A_RELOAD = "A reload, when its host dies."
RELOAD_CRASH_TABLE = {
    "0 capture, 1 build": ["reload:capture", "reload:build"],
    "2 store": ["reload:store"],
    "while a canary watches": ["test_a_host_that_dies_while_a_canary_watches_loses_nothing"],
    "3 record, the answer unknown": ["reload:record", "reload:swap"],
    "after 3, before 4": ["reload:swap"],
    "5 retire": ["reload:retire"],
}
"""The same for the rows of the table behind it. An unknown answer is one of the two on its sides."""


SHORT = [
    *(PLAYED + SYNCED + RECOVERING + FIRST_START + SURVIVED),
    *(GATEWAY + GATEWAY_SURVIVED + STOPPING + SUPERVISOR + RELOADING + COPYING_OVER),
]


def points(faults: Iterable[str]) -> set[str]:
    return {one.partition("=")[0] for fault in faults for one in fault.split(",")}


def test_every_point_of_the_program_is_met() -> None:
    """A new point needs a line here."""
    assert points(POINTS) == points(SHORT)


def test_every_row_of_the_crash_table_is_met() -> None:
    """Those of a move in the tests of copyover."""
    rows = rows_of_the_crash_table().partition(A_RELOAD)[0]
    assert set(first_cells(rows)) == CRASH_TABLE.keys() | COPYOVER_CRASH_TABLE.keys()
    assert {shown for shows in CRASH_TABLE.values() for shown in shows} <= points(SHORT) | globals().keys()
    shown = {shown for shows in COPYOVER_CRASH_TABLE.values() for shown in shows}
    assert shown <= points(COPYING_OVER) | vars(test_copyover_faults).keys()


def test_every_row_of_the_crash_table_of_a_reload_is_met() -> None:
    """Within the swap no point is named: tests/sim places crashes there, between any two records."""
    rows = first_cells(rows_of_the_crash_table().partition(A_RELOAD)[2])
    assert {row for row in rows if not row.startswith("4 swap")} == RELOAD_CRASH_TABLE.keys()
    shown = {shown for shows in RELOAD_CRASH_TABLE.values() for shown in shows}
    assert shown <= points(RELOADING) | vars(test_reload_canary).keys()


def rows_of_the_crash_table() -> str:
    text = (ROOT / "docs" / "protocols.md").read_text()
    return text.partition("### Crash table")[2].partition("## Invariants")[0]


def first_cells(table: str) -> list[str]:
    return [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("|")][2:]


def meet(server: Server) -> None:
    """Three players talk, one of them between two rooms, until the host has died of it and for a while after."""
    with players(server.address) as clients:
        with talking(clients, move=True, pause_s=0.02) as talk:
            server.wait_next_host()
            talk.go_on(rounds=4)
        assert talk.report().complaints == []


@cases(PLAYED, PLAYED_LONG)
def test_a_host_that_dies_there_costs_nobody_a_line(tmp_path: Path, fault: str) -> None:
    """No disconnect; every line once and in order (FM-88, FM-93, FM-95)."""
    with serving(tmp_path, mud(tmp_path / "p", base_every_s=1), fault) as server:
        meet(server)


@cases(SYNCED, SYNCED_LONG)
def test_a_failed_sync_costs_nobody_a_line(tmp_path: Path, fault: str) -> None:
    """The host stops rather than to trust that disk; nothing unsynced was ever shown (FM-75)."""
    with serving(tmp_path, mud(tmp_path / "p", durability="power"), fault) as server:
        meet(server)


@cases(FIRST_START, FIRST_START_LONG)
def test_a_first_host_that_dies_there_is_followed_by_one_that_serves(tmp_path: Path, fault: str) -> None:
    """What it had begun is completed, or begun anew."""
    with serving(tmp_path, fault=fault) as server:
        server.wait_event("exited", name="host-1")
        with players(server.address, 2) as clients:
            with talking(clients, pause_s=0.01) as talk:
                talk.go_on(rounds=4)
            assert talk.report().complaints == []


@cases(SURVIVED, SURVIVED_LONG)
def test_a_base_that_fails_is_tried_again(tmp_path: Path, fault: str) -> None:
    """Players notice nothing, operators are told, and the next base is stored (FM-20)."""
    with serving(tmp_path, mud(tmp_path / "p", base_every_s=1), fault) as server:
        with players(server.address) as clients:
            with talking(clients, move=True, pause_s=0.02) as talk:
                failed = server.wait_event("base-failed")
                old = set(bases(server, failed["room"]))
                wait_until(lambda: set(bases(server, failed["room"])) - old, "the next base")
                talk.go_on(rounds=4)
            assert talk.report().complaints == []
        assert not server.events("exited", name="host-1")


def bases(server: Server, room: str) -> list[str]:
    """The stored bases of a room."""
    return [str(path) for path in (server.state / "blobs" / room).glob("*/*") if not path.name.startswith(".")]


@pytest.fixture(scope="module")
def played_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state in which Ada left her apple in the inn, of a server that died as a whole."""
    with serving(tmp_path_factory.mktemp("played")) as server:
        with players(server.address, 1) as (ada,):
            mark(ada)
            server.crash()
        return server.state


def comes_back(server: Server) -> None:
    """Ada logs in again, and finds her character as it was marked."""
    client = LineClient("Ada", server.address)
    try:
        client.log_in("connect")
        find_mark(client)
    finally:
        client.close()


@cases(RECOVERING, RECOVERING_LONG)
def test_a_recovery_that_dies_is_done_again(tmp_path: Path, played_state: Path, fault: str) -> None:
    """Crash table, *during a recovery by H*: the next claimer does the same again (FM-31, FM-93)."""
    shutil.copytree(played_state, tmp_path / "state", ignore=shutil.ignore_patterns("*.sock"))
    with serving(tmp_path, fault=fault) as server:
        comes_back(server)
        server.wait_event("exited", name="host-1")


def test_a_claim_that_cannot_be_written_ends_the_start(tmp_path: Path, played_state: Path) -> None:
    """Said plainly, with nothing half claimed: the next start finds everything (FM-36)."""
    shutil.copytree(played_state, tmp_path / "state", ignore=shutil.ignore_patterns("*.sock"))
    server = Server(tmp_path)
    try:
        server.start("store:owner-commit=raise", wait=False)
        assert server.popen is not None
        assert server.popen.wait(DEADLINE_S) == 1
        assert "arranged at fault point" in server.said()
        server.start()
        comes_back(server)
    finally:
        server.cleanup()


@cases(STOPPING, STOPPING_LONG)
def test_a_stop_that_dies_loses_nothing(tmp_path: Path, played_state: Path, fault: str) -> None:
    """The bases of a clean stop are missing; the journal has it all (FM-19, FM-55)."""
    shutil.copytree(played_state, tmp_path / "state", ignore=shutil.ignore_patterns("*.sock"))
    with serving(tmp_path, fault=fault) as server:
        comes_back(server)
        assert server.popen is not None
        server.popen.terminate()
        server.wait_event("stopping")
        server.popen.terminate()  # a second order leaves a host that hangs two seconds
        server.popen.wait(DEADLINE_S)
        server.wait_gone()
        server.start()
        comes_back(server)


@cases(GATEWAY)
def test_a_gateway_that_dies_ends_sessions_and_nothing_else(tmp_path: Path, fault: str) -> None:
    """Players are disconnected, log in to the next gateway, and find their characters (crash table: gateway)."""
    with serving(tmp_path, fault=fault) as server, players(server.address) as clients:
        mark(clients[0])
        late = LineClient("Late", server.address)
        for number in range(15):
            for client in clients[1:]:
                client.send(f"say {number}")
        for client in [late, *clients]:
            client.wait_closed()
        late.close()
        server.wait_event("sessions-ended")
        server.wait_event("ready", count=2, name="gateway")
        comes_back(server)
        assert not server.events("exited", name="host-1")


@cases(GATEWAY_SURVIVED)
def test_an_error_in_the_gateway_costs_at_most_one_connection(tmp_path: Path, fault: str) -> None:
    """Whose line broke it comes back to the session; everybody else notices nothing."""
    with serving(tmp_path, fault=fault) as server, players(server.address) as clients:
        late = LineClient("Late", server.address)
        with talking(clients, pause_s=0.01) as talk:
            wait_until(lambda: talk.rounds >= 20, "twenty rounds")
        late.close()
        if "event-appended" in fault:
            wait_until(lambda: any(client.closed_s for client in clients), "the end of one connection")
            (broken,) = (client.name for client in clients if client.closed_s)
            find_session(server, broken)
        else:
            assert talk.report().complaints == []
        assert not server.events("exited")


def find_session(server: Server, name: str) -> None:
    """Its player comes back."""
    client = LineClient(name, server.address)
    client.log_in("connect")
    client.wait_for("Welcome back")
    client.close()


@cases(SUPERVISOR, SUPERVISOR_LONG)
def test_a_supervisor_that_dies_takes_the_others_with_it_and_loses_nothing(
    tmp_path: Path, played_state: Path, fault: str
) -> None:
    """Host and gateway end themselves; the next start takes everything over (FM-53)."""
    shutil.copytree(played_state, tmp_path / "state", ignore=shutil.ignore_patterns("*.sock"))
    with serving(tmp_path, fault=fault) as server:
        comes_back(server)
        server.kill("host-1")
        server.wait_gone()
        server.start()
        comes_back(server)


def test_a_join_that_is_not_durable_is_sent_again(tmp_path: Path) -> None:
    """Crash table, *go seen, join not durable in the target*: the gateway sends n = 0, 1, … again (FM-95)."""
    with serving(tmp_path) as server, players(server.address, 2) as (ada, bob):
        server.ask("room.pause", room="arena")
        ada.send("arena")
        ada.send("say here")
        wait_until(lambda: waits_in_arena(server), "Ada's join in the tail")
        bob.command("say there", "You say")
        server.kill_host()
        ada.wait_for('You say, "here"')
        assert sum("The Arena" in line.text for line in ada.seen) == 1
        bob.command("say still", "You say")
        assert check([ada, bob], lambda who, speaker, text: who == speaker).complaints == []


def waits_in_arena(server: Server) -> bool:
    """Whether somebody's join and line wait for the arena."""
    return any(session["room"] == "arena" and session["in_unacked"] >= 2 for session in server.ask("sessions"))


def test_a_recovery_that_is_killed_is_done_again_while_players_wait(tmp_path: Path) -> None:
    """Crash table, *during a recovery by H*: the tails wait for whoever comes through (FM-57)."""
    with serving(tmp_path) as server, players(server.address) as clients:
        with talking(clients, move=True, pause_s=0.02) as talk:
            for deaths in (1, 2, 3):
                pid = server.wait_event("starting", count=deaths, name="host-1")["pid"]
                kill(pid)
                server.wait_event("exited", count=deaths, name="host-1")
            server.wait_event("ready", count=2, name="host-1")
            talk.go_on(rounds=4)
        assert talk.report().complaints == []
