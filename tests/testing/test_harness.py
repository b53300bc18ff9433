"""The harness says what a test wants to know, and nothing that is not so."""

import subprocess
import sys
from collections.abc import Mapping

import pytest

from perdure import Game, Player, Row, Table, bold, command, every, linked
from perdure.errors import RowError
from perdure.testing import Perdure


class Note(Row):
    text: str = ""


class Board(Game):
    notes: Table[Note]
    wake_hz = 10

    def wake(self) -> None:
        self.notes.setdefault("wakes", Note()).text += "."

    @every(minutes=1)
    def chime(self) -> None:
        self.say("dong")

    @command("note TEXT")
    def note(self, player: Player, text: str) -> None:
        self.notes[player.id] = Note(text)
        player.tell("Noted.\nTwice.")

    @command("behind")
    def behind(self, player: Player) -> None:
        """Changes a row that was only looked at."""
        note = self.notes.peek(player.id)
        assert note
        note.text = "forged"

    @command("fail")
    def fail(self, player: Player) -> None:
        raise KeyError("here")


def test_sees_shows_the_transcript_when_it_fails(perdure: Perdure):
    """The message is all that one needs to read."""
    ada = perdure.room(Board).join("Ada")
    ada.types("note hello")
    assert ada.sees("Twice")
    with pytest.raises(AssertionError) as error:
        ada.sees("Thrice")
    assert str(error.value) == "Ada was not shown 'Thrice', but:\n  | Noted.\n  | Twice."


def test_a_mistake_of_the_game_is_raised_in_the_test(perdure: Perdure):
    """With the author's frame; the room goes on as a real one does."""
    room = perdure.room(Board)
    ada = room.join("Ada")
    with pytest.raises(KeyError, match="here") as error:
        ada.types("fail")
    assert error.traceback[-1].name == "fail"
    ada.types("note still here")
    assert room[Board].notes.peek(ada.id) == Note("still here")


def test_time_passes_only_when_the_test_says_so(perdure: Perdure):
    """Timers and heartbeats come in order, each at its time."""
    room = perdure.room(Board)
    ada = room.join("Ada")
    assert room[Board].notes.peek("wakes") is None
    room.advance(120.5)
    assert ada.lines == ["dong", "dong"]
    wakes = room[Board].notes.peek("wakes")
    assert 1190 <= len(wakes.text) <= 1210


def test_crash_and_restart_prove_that_nothing_was_lost(perdure: Perdure):
    """The hash before equals the hash after; players are still seated."""
    room = perdure.room(Board)
    ada, bob = room.join("Ada"), room.join("Bob")
    ada.types("note one")
    room.crash()
    bob.types("note two")
    room.restart()
    room.crash()
    ada.types("note three")
    assert [note.text for _, note in room[Board].notes.scan()] == ["three", "two"]
    assert room.machine.epoch == 4
    ada.leave()
    room.crash()
    assert list(room.machine.open) == [bob.session]


def test_a_row_changed_behind_its_table_is_found(perdure: Perdure):
    """The mistake that would only show after a crash shows in the test."""
    room = perdure.room(Board)
    ada = room.join("Ada")
    ada.types("note true")
    with pytest.raises(RowError, match=r"board\.notes, row 'ada' was changed behind the table's back"):
        ada.types("behind")


def test_whoever_has_gone_cannot_type(perdure: Perdure):
    """A test that goes on with them is wrong."""
    ada = perdure.room(Board).join("Ada")
    ada.leave()
    with pytest.raises(AssertionError, match="session is over"):
        ada.types("note x")


class Panes(Game):
    notes: Table[Note]

    def prompt(self, player: Player) -> str:
        return bold(f"{len(self.notes)}> ")

    def gmcp(self, player: Player) -> Mapping[str, object]:
        if player.name == "Mallory":
            raise KeyError("there")
        return {"Room.Info": {"num": 1, "columns": player.columns}}

    @command("note TEXT")
    def note(self, player: Player, text: str) -> None:
        self.notes[text] = Note()
        player.tell(f"{linked('Noted', send='notes')}: {text}")
        player.send("Comm.Channel.Text", {"text": text})


def test_prompts_messages_and_links_are_seen_as_a_client_shows_them(perdure: Perdure):
    """Without styles and marks; what a gateway would pass over is not counted again."""
    room = perdure.room(Panes)
    ada = room.join("Ada", columns=40)
    ada.types("note one")
    assert (ada.prompt, ada.lines) == ("1> ", ["Noted: one"])
    room.restart()
    ada.types("note two")
    assert ada.prompt == "2> "
    ada.resizes(100)
    assert ada.gmcp == {"Room.Info": {"num": 1, "columns": 100}, "Comm.Channel.Text": {"text": "two"}}
    assert ada.messages == [
        ("Room.Info", {"num": 1, "columns": 40}),
        ("Comm.Channel.Text", {"text": "one"}),
        ("Comm.Channel.Text", {"text": "two"}),
        ("Room.Info", {"num": 1, "columns": 100}),
    ]


def test_a_mistake_in_a_hook_is_raised_in_the_test_or_kept(perdure: Perdure):
    """Though it undoes nothing."""
    with pytest.raises(KeyError, match="there"):
        perdure.room(Panes).join("Mallory")
    room = perdure.room(Panes, keep_faults=True)
    mallory = room.join("Mallory")
    mallory.types("note one")
    assert [str(fault) for fault in room.faults] == ["'there'", "'there'"]
    assert mallory.lines == ["Noted: one"]


GAME_TEST = """
import sys

NAMES = "perdure.games", "perdure.room.machine", "perdure.testing.harness"
ABSENT = [name for name in NAMES if name not in sys.modules]

from perdure import Game

class Empty(Game):
    pass

def test_it(perdure):
    assert len(ABSENT) == 3
    room = perdure.room(Empty)
    ada = room.join("Ada")
    ada.types("x")
    assert ada.sees("Huh?")
"""


def test_the_fixture_runs_in_an_authors_pytest(tmp_path):
    """The plugin is found by itself, and importing it loads no game machinery."""
    (tmp_path / "test_empty.py").write_text(GAME_TEST)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert "1 passed" in done.stdout, done.stdout + done.stderr
