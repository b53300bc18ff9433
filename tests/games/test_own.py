"""The commands that are the server's own: `@reload` and `@copyover`. A game neither sees nor imitates them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from perdure import Answer, Game, Player, command
from perdure.errors import GameError
from perdure.games.python.own import COMMANDS, COPYOVER_SERVICE, RELOAD_SERVICE, SERVICES
from perdure.room.record import Request
from perdure.testing import Perdure, RoomInTest

OWN = pytest.mark.parametrize("word", COMMANDS)


class Inn(Game):
    """Says every line back."""

    def input(self, player: Player, line: str) -> bool | None:
        if line in ("quiz", "cheat"):
            return None
        self.say(f"({line})")
        return True

    @command("quiz")
    def quiz(self, player: Player) -> None:
        player.ask("Who are you?", self.answered)

    def answered(self, player: Player, answer: str) -> None:
        player.tell(f"you are {answer}")

    @command("cheat")
    def cheat(self, player: Player) -> None:
        self.room.ask(RELOAD_SERVICE, player.name, "admin", [], then=self.cheated)

    def cheated(self, answer: Answer[Any]) -> None:
        self.say(str(answer))


@pytest.fixture
def room(perdure: Perdure) -> RoomInTest:
    return perdure.room(Inn)


def asked(room: RoomInTest) -> Request:
    (request,) = room.machine.requests.values()
    return request


@OWN
@pytest.mark.parametrize("line", ["{}", "  {} now --atomic", "{}\tnow"])
def test_a_line_that_begins_with_the_word_goes_to_the_server(room: RoomInTest, word: str, line: str) -> None:
    """The host's service gets who asked and what they said, whatever their role; the game sees nothing."""
    line = line.format(word)
    ada = room.join("Ada", role="player")
    ada.types(line)
    request, own = asked(room), COMMANDS[word]
    assert (request.function, request.then, request.idempotent) == (own.service, own.handler, own.idempotent)
    assert msgspec.msgpack.decode(request.args)[:3] == ["Ada", "player", line.split()[1:]]
    assert ada.lines == []


@OWN
@pytest.mark.parametrize("line", ["{}s", "say {}", "x{}", ""])
def test_every_other_line_is_the_games(room: RoomInTest, word: str, line: str) -> None:
    """Only the exact word at the beginning is taken away from a game."""
    ada = room.join("Ada")
    ada.types(line.format(word), word.upper())
    assert ada.sees(f"({line.format(word)})")
    assert ada.sees(f"({word.upper()})")
    assert not room.machine.requests


@OWN
def test_it_does_not_answer_a_question_of_the_game(room: RoomInTest, word: str) -> None:
    """The dialogue goes on where it was (FM-28)."""
    ada = room.join("Ada", role="admin")
    ada.types("quiz", word, "Ada")
    assert ada.sees("you are Ada")


@OWN
def test_only_who_typed_it_reads_the_answer(room: RoomInTest, word: str) -> None:
    """The report is no business of the other players."""
    ada, bob = room.join("Ada", role="admin"), room.join("Bob")
    ada.types(word)
    room.answer("nothing to do.")
    assert ada.lines[-1] == "nothing to do."
    assert not any("nothing to do" in line for line in bob.lines)


@OWN
@pytest.mark.parametrize(
    ("status", "value", "told"),
    [
        ("error", "ValueError: no", "ValueError: no"),
        ("timeout", None, "not done yet"),
        ("interrupted", None, "What came of it"),
    ],
)
def test_every_end_is_told(room: RoomInTest, word: str, status: Any, value: Any, told: str) -> None:
    """Also when the host was killed meanwhile: whoever asked knows where to look."""
    ada = room.join("Ada", role="admin")
    ada.types(word)
    room.crash()
    room.answer(value, status=status)
    assert ada.sees(told)


@OWN
def test_an_answer_for_somebody_who_left_is_dropped(room: RoomInTest, word: str) -> None:
    """It faults nothing, and nobody else reads it."""
    ada, bob = room.join("Ada", role="admin"), room.join("Bob")
    ada.types(word)
    ada.leave()
    room.answer("secret")
    assert not any("secret" in line for line in bob.lines)


def test_a_copyover_is_asked_for_again_under_the_same_key_and_answered_once(room: RoomInTest) -> None:
    """The host that was asked is gone when the report comes: its successor finds the request in the room (FM-37)."""
    ada = room.join("Ada", role="admin")
    ada.types("@copyover now")
    ((id, request),) = room.machine.requests.items()
    assert request.function == COPYOVER_SERVICE
    assert msgspec.msgpack.decode(request.args) == ["Ada", "admin", ["now"], f"room/{id}"]
    room.restart()
    assert room.machine.requests == {id: request}
    assert request.idempotent
    room.answer("Copyover: committed.\n10 rooms moved.")
    assert ada.lines == ["Copyover: committed.", "10 rooms moved."]
    assert not room.machine.requests


def test_every_request_has_a_key_of_its_own(room: RoomInTest) -> None:
    """Two requests are two orders, of one player or of several."""
    ada, bob = room.join("Ada", role="admin"), room.join("Bob", role="admin")
    ada.types("@copyover", "@copyover")
    bob.types("@copyover")
    keys = [msgspec.msgpack.decode(request.args)[3] for request in room.machine.requests.values()]
    assert keys == [f"room/{id}" for id in room.machine.requests]
    assert len(set(keys)) == 3


@pytest.mark.parametrize("service", [RELOAD_SERVICE, COPYOVER_SERVICE, f"{SERVICES}whatever"])
def test_a_game_cannot_ask_for_the_servers_services(
    perdure: Perdure, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its code could claim any role for any player (FM-86)."""
    room = perdure.room(Inn, keep_faults=True)
    ada = room.join("Ada")
    monkeypatch.setattr(f"{__name__}.RELOAD_SERVICE", service)
    ada.types("cheat")
    assert isinstance(room.faults[0], GameError)
    assert "is the server's own" in str(room.faults[0])
    assert not room.machine.requests
