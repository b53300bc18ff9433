"""GMCP messages as games write them: what a client could not read is refused where it was written."""

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure import Game, Player, Row, command
from perdure.errors import GameError
from perdure.games.python.gmcp import JSON_BYTES_MAX, encoded, message
from perdure.testing import Perdure

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(plain)
def test_plain_data_arrives_as_it_went(data: Any) -> None:
    """As JSON, in one line."""
    package, body = message("Char.Vitals", data)
    assert package == "Char.Vitals"
    assert msgspec.json.decode(body) == data
    assert b"\n" not in body


@pytest.mark.parametrize("package", ["Char.Vitals", "Room.Info", "Comm.Channel.Text", "beip.line-tag", "Core2.X"])
def test_packages_are_words_with_dots_between(package: str) -> None:
    """As clients know them."""
    assert message(package, {}) == (package, b"{}")


@pytest.mark.parametrize(
    "package", ["", "Vitals", "Char.", ".Vitals", "Char Vitals", "Ch\u00e4r.X", "A.b\n", 7, "A." + 63 * "b"]
)
def test_what_is_no_package_is_refused(package: Any) -> None:
    """With an example of one."""
    with pytest.raises(GameError, match=r"cannot be a GMCP package: write words with dots between, as in Char\.Vitals"):
        message(package, {})


@pytest.mark.parametrize("package", ["Core.Hello", "core.supports.set", "Char.Login.Default", "CHAR.LOGIN"])
def test_the_servers_own_packages_are_not_for_games(package: str) -> None:
    """What a client takes for the server's word about passwords and options is the gateway's alone."""
    with pytest.raises(GameError, match="the server's own"):
        message(package, {})


class Sword(Row):
    edge: int = 1


@pytest.mark.parametrize(
    "data", [Sword(), {1}, b"x", math.nan, math.inf, {"deep": [{"set": {1}}]}, object(), {1: "x"}, {"x": {2: 3}}]
)
def test_what_is_not_plain_is_refused(data: Any) -> None:
    """Naming the value and what to pass instead."""
    with pytest.raises(
        GameError, match=r"the data of Char\.Vitals holds .*Of a row, a player or a set, pass the parts"
    ):
        message("Char.Vitals", data)


def test_data_that_holds_itself_is_refused() -> None:
    """It has no end."""
    data: list[Any] = []
    data.append(data)
    with pytest.raises(GameError, match=r"the data of Char\.Vitals"):
        message("Char.Vitals", data)


def test_half_of_a_surrogate_pair_is_refused() -> None:
    """It cannot be said in UTF-8."""
    with pytest.raises(GameError, match=r"the data of Char\.Vitals cannot be sent"):
        message("Char.Vitals", {"name": "\ud800"})


def test_data_is_bounded() -> None:
    """What fills an outbox by itself is refused, with what to do."""
    fits = "x" * (JSON_BYTES_MAX - 2)
    assert len(encoded("Char.Vitals", fits)) == JSON_BYTES_MAX
    with pytest.raises(GameError, match=r"16385 bytes as JSON, and 16384 are sent at most\. Send less"):
        encoded("Char.Vitals", fits + "x")


class Chat(Game):
    @command("say TEXT")
    def talk(self, player: Player, text: str) -> None:
        for other in self.room.players:
            other.send("Comm.Channel.Text", {"channel": "say", "talker": player.name, "text": text})

    @command("map")
    def map(self, player: Player) -> None:
        player.send("Room.Map", {"n": 1})

    @command("wrong")
    def wrong(self, player: Player) -> None:
        player.send("Room.Map", player)


def test_events_are_sent_each_time_and_standings_once(perdure: Perdure) -> None:
    """What was said twice was said twice; a map that is the same is the same."""
    room = perdure.room(Chat)
    ada, bob = room.join("Ada"), room.join("Bob")
    bob.types("say hi", "say hi", "map", "map")
    said = ("Comm.Channel.Text", {"channel": "say", "talker": "Bob", "text": "hi"})
    assert ada.messages == [said, said]
    assert bob.messages == [said, said, ("Room.Map", {"n": 1})]
    assert ada.lines == []


def test_a_mistake_in_a_message_is_the_commands(perdure: Perdure) -> None:
    """It is undone, and the traceback points at the author's line."""
    room = perdure.room(Chat, keep_faults=True)
    ada = room.join("Ada")
    ada.types("wrong")
    assert ada.sees('The command "wrong" failed.')
    assert 'player.send("Room.Map", player)' in room.program.traceback(room.faults[0])
