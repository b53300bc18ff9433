"""When a running room takes new code: when it is idle, when its match is over."""

from pathlib import Path

from tests.e2e.edits import Played, playing, visiting


def new_in(played: Played) -> int:
    """An edit, and a reload of it; the number of the edit."""
    played.village.edit("talk")
    assert played.server.cli("reload").code == 0
    return played.village.edits


def test_an_idle_room_takes_it_at_once_and_a_busy_one_when_it_is_idle(tmp_path: Path) -> None:
    """Two reloads meanwhile are one change for it; the next host knows which code it ran (FM-89)."""
    with playing(tmp_path, 1, update="idle") as played:
        (ada,), probe, before = played.clients, played.probe, dict(played.village.marks)
        played.village.edit("talk")
        done = played.server.cli("reload", "--json")
        assert (done.code, done.json["waiting"], done.json["rooms"]["swapped"]) == (0, ["green"], 1)
        probe.wait(before)
        new_in(played)
        probe.wait(before)
        played.server.kill_host()
        probe.wait(before)
        ada.command("go inn", "Welcome to the village")
        ada.command("marks", f"talk={played.village.edits}/")
        probe.client.send("leave")
        probe.client.wait_closed()
        played.server.wait_event("room-reloaded", room="green")
        with visiting(played.server, "Probe", "connect") as back:
            back.command("marks", f"talk={played.village.edits}/")
        assert [one["rooms"] for one in played.generations()] == [2]


def test_a_room_with_a_match_takes_it_when_that_is_over(tmp_path: Path) -> None:
    """Right after the callback that says so."""
    with playing(tmp_path, 1, update="match") as played:
        probe, before = played.probe, dict(played.village.marks)
        played.village.edit("talk")
        assert played.reload()["waiting"] == ["green"]
        probe.wait(before)
        played.clients[0].command("finish", "The match is over.")
        probe.wait(played.village.marks)
        played.server.wait_event("room-reloaded", room="green")
        probe.client.command("finish", "The match is over.")
        assert new_in(played)
        played.clients[0].command("finish", "The match is over.")
        probe.wait(played.village.marks)
