"""Games that do not end, or end their process: one room pays for it, and what was typed is not lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.checker import GAP_S_MAX
from tests.e2e.clients import Client, players
from tests.e2e.server import Server, serving, trouble
from tests.e2e.talk import talking

WELCOME = "Trouble awaits in the pit"


@contextmanager
def pit_and_yard(folder: Path, fault: str = "") -> Iterator[tuple[Server, Client, Client, Client]]:
    """A server with Ada and Bob in the pit, and Cleo in the yard."""
    with serving(folder, trouble(folder / "p"), fault) as server, players(server.address, 3, WELCOME) as clients:
        ada, bob, cleo = clients
        cleo.command("go yard", "Trouble awaits in the yard")
        yield server, ada, bob, cleo


def own(client: Client) -> list[str]:
    """What a client heard itself say."""
    return [text for speaker, text in client.heard if speaker == client.name]


def test_a_command_over_its_budget_is_cut_and_undone(tmp_path: Path) -> None:
    """`while True`, a sleep, a pattern: the others go on, and of the command nothing is left (FM-40)."""
    with pit_and_yard(tmp_path) as (server, ada, bob, cleo):
        with talking([bob, cleo], pause_s=0.02) as talk:
            for number, command in enumerate(["loop", "sleep", "regex"], 1):
                ada.command("count", f"Count: {number}.")
                ada.command(command, f'The command "{command}" took too long.')
                talk.go_on(rounds=3)
        report = talk.report_of(lambda listener, speaker, text: listener == speaker)
        assert report.complaints == []
        assert report.gap_s <= GAP_S_MAX
        assert not server.events("exited")
        assert [(e["room"], "0.5 s" in e["error"]) for e in server.events("fault")] == [("pit", True)] * 3


def test_commands_that_fail_are_undone_one_by_one(tmp_path: Path) -> None:
    """An exception, SystemExit, a full stack: one line for the player, the traceback in the log, and nothing else."""
    with pit_and_yard(tmp_path) as (server, ada, bob, _):
        for number, command in enumerate(["raise", "leave", "deep"], 1):
            ada.command(command, f'The command "{command}" failed.')
            bob.command("count", f"Count: {number}.")
        assert "You never read this." not in ada.text
        assert not server.events("exited")
        assert 'raise KeyError("trouble")' in server.cli("logs", "host-1").out


@pytest.mark.parametrize("command", ["exit", "native"])
def test_an_input_that_kills_twice_puts_one_room_aside(tmp_path: Path, command: str) -> None:
    """The input is named, the others serve; what is typed meanwhile is applied once, after the skip (FM-78).

    `exit` ends the process. `native` stays in C code, where nothing can cut it, until the supervisor kills the host.
    """
    with pit_and_yard(tmp_path) as (server, ada, bob, cleo):
        ada.command("count", "Count: 1.")
        with talking([cleo], pause_s=0.02) as talk:
            ada.send(command)
            for waiting in (ada, bob):
                waiting.send("count")
            server.wait_event("aside", room="pit")
            talk.go_on(rounds=10)
            (aside,) = server.cli("rooms", "--aside", "--json").json
            (session,) = (s for s in server.ask("sessions") if s["name"] == "Ada")
            assert (aside["room"], aside["session"], aside["n"]) == ("pit", session["id"], 2)
            assert [room["id"] for room in server.cli("rooms", "--json").json] == ["yard"]
            assert server.cli("room", "resume", "pit").code == 4
            bob.send("say still here")
            resumed = server.cli("room", "resume", "pit", "--skip-input")
            assert resumed.code == 0, resumed.err
            ada.wait_for(f'Your line "{command}" was skipped by an operator')
            bob.wait_for('You say, "still here"')
            talk.go_on(rounds=5)
        counts = [line.text for one in (ada, bob) for line in one.seen if line.text.startswith("Count: ")]
        assert sorted(counts) == ["Count: 1.", "Count: 2.", "Count: 3."]
        assert own(bob) == ["still here"]
        assert talk.report().complaints == []
        assert [one.closed_s for one in (ada, bob, cleo)] == [None] * 3
        assert server.cli("rooms", "--aside", "--json").json == []
        assert len(server.events("exited", name="host-1")) == 2


def test_a_room_that_is_aside_can_be_given_up(tmp_path: Path) -> None:
    """Discarded, it begins anew: its players are told, and what they typed after the bad input counts there."""
    with pit_and_yard(tmp_path) as (server, ada, bob, cleo):
        bob.command("count", "Count: 1.")
        ada.send("exit")
        ada.send("say after")
        server.wait_event("aside", room="pit")
        cleo.command("say back again", "You say")
        assert server.cli("room", "discard", "pit", "--yes").code == 0
        for one in (ada, bob):
            one.wait_for("The server lost its last moments")
        bob.command("count", "Count: 1.")
        ada.wait_for('You say, "after"')
        cleo.command("say hello", "You say")
        assert len(server.events("exited", name="host-1")) == 2


def test_a_wrong_room_is_refused_with_what_there_is(tmp_path: Path) -> None:
    """Errors name the next step."""
    with serving(tmp_path, trouble(tmp_path / "p")) as server:
        done = server.cli("room", "show", "cellar")
        assert (done.code, "There are: pit, yard" in done.err) == (4, True)
