"""What a game may say about the replacement of the server's program: not now, and not this any more."""

from __future__ import annotations

from typing import Any

import pytest

from perdure import Game, Module, Player, Row, Table, Veto, command
from perdure.errors import GameError
from perdure.games.python.load import load_game
from perdure.room.program import Vetoed
from perdure.testing import Perdure, RoomInTest


class Bid(Row):
    coins: int = 1


class Auctions(Module):
    bids: Table[Bid]

    @command("bid")
    def bid(self, player: Player) -> None:
        if reason := self.room.locked("auctions"):
            self.refuse(reason)
        self.bids[player.id] = Bid()
        player.tell("You bid.")

    def veto_copyover(self) -> Veto | None:
        if not self.bids:
            return None
        bids = len(self.bids)
        self.bids.clear()
        self.say("Sold!")
        for player in self.room.players:
            player.end("The house is closed.")
        return Veto(f"{bids} are bidding", minutes=1, seconds=30)


class House(Game):
    def veto_copyover(self) -> Any:
        return ANSWER[0]


ANSWER: list[Any] = [None]


@pytest.fixture
def room(perdure: Perdure) -> RoomInTest:
    ANSWER[0] = None
    return perdure.room(House)


def test_modules_say_why_not_and_for_how_long(room: RoomInTest) -> None:
    """A `Veto`, or only a reason; None and "" are no veto."""
    assert room.vetoes() == []
    ANSWER[0] = "the house burns"
    assert room.vetoes() == [Vetoed("house", "the house burns", 0.0)]
    ANSWER[0] = ""
    assert room.vetoes() == []
    room.join("Ada").types("bid")
    ANSWER[0] = Veto("soon", seconds=5)
    assert room.vetoes() == [Vetoed("auctions", "1 are bidding", 90.0), Vetoed("house", "soon", 5.0)]


def test_whoever_is_asked_changes_and_tells_nothing(room: RoomInTest) -> None:
    """Rows, seats and screens are as they were; asked again, it says the same."""
    ada = room.join("Ada")
    ada.types("bid")
    before, lines = room.machine.value_hash(), list(ada.lines)
    assert room.vetoes() == room.vetoes()
    assert (room.machine.value_hash(), ada.lines, ada.ended) == (before, lines, "")
    ada.types("bid")
    assert ada.lines[-1] == "You bid."


@pytest.mark.parametrize("answer", [300, True, Veto(3), Veto("x", seconds=-1), Veto("x", minutes=float("nan"))])  # type: ignore[arg-type]
def test_an_answer_that_is_none_is_an_error_and_no_veto(perdure: Perdure, answer: object) -> None:
    """The author is told what to return; nothing that could not be sent leaves the room (FM-93)."""
    room = perdure.room(House, keep_faults=True)
    ANSWER[0] = answer
    assert room.vetoes() == []
    assert f"house.veto_copyover returned {answer!r}. Return a reason" in str(room.faults[0])


def test_a_reason_is_one_line(room: RoomInTest) -> None:
    """However long its author made it."""
    ANSWER[0] = "an\n  auction " + "x" * 500
    (veto,) = room.vetoes()
    assert veto.reason.startswith("an auction xxx")
    assert len(veto.reason) == 200


def test_a_reason_that_cannot_be_sent_is_an_error_and_no_veto(perdure: Perdure) -> None:
    """Half of a character."""
    room = perdure.room(House, keep_faults=True)
    ANSWER[0] = "\ud800"
    assert room.vetoes() == []
    assert isinstance(room.faults[0], UnicodeEncodeError)


def test_a_veto_with_other_arguments_is_refused_at_load(perdure: Perdure, tmp_path: Any) -> None:
    """With its line, as every hook."""
    file = tmp_path / "inn.py"
    file.write_text("from perdure import Game\nclass Inn(Game):\n    def veto_copyover(self, room): ...\n")
    with pytest.raises(GameError, match=r"inn.py:3: .*def veto_copyover\(self\)"):
        load_game(file)


def test_a_locked_feature_gives_its_reason_until_it_is_unlocked(room: RoomInTest) -> None:
    """The host locks, for all rooms of a program; what is not locked is free."""
    ada = room.join("Ada")
    room.lock("auctions", "No new auctions: the server is renewed in a minute.")
    ada.types("bid")
    assert ada.lines[-1] == "No new auctions: the server is renewed in a minute."
    assert room.vetoes() == []
    room.unlock("auctions")
    ada.types("bid")
    assert ada.lines[-1] == "You bid."


def test_a_lock_outlives_a_reload_and_ends_with_the_host(room: RoomInTest) -> None:
    """It is the host's, and no part of a room's value: the successor begins without."""
    ada = room.join("Ada")
    before = room.machine.value_hash()
    room.lock("auctions", "Closed.")
    assert room.machine.value_hash() == before
    room.reload(House)
    ada.types("bid")
    assert ada.lines[-1] == "Closed."
    room.restart()
    ada.types("bid")
    assert ada.lines[-1] == "You bid."
