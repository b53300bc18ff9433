"""What a player chooses, as the gateway does it: encodings, screen readers, and what the account keeps."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from perdure.gateway.look import Settings
from perdure.gateway.settings import kept
from perdure.link.messages import EventSent, Out
from perdure.room.record import Input, Join, Resize, Text
from tests.gateway.world import Host, World, running


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with running(tmp_path) as it:
        yield it


@pytest.fixture
def host(world: World) -> Host:
    return world.host()


def listens(joined: EventSent) -> bool:
    """Whether the room was told so."""
    assert isinstance(joined.body, Join)
    return joined.body.screenreader


def test_who_falls_back_to_latin_1_is_told_once(world: World, host: Host) -> None:
    """In a sentence, before the line is answered; and UTF-8 that comes later is understood (FM-80)."""
    player, _ = world.enters(host)
    player.sends(b"say caf\xe9\r\n")
    host.expect(EventSent, body=Input("say café"))
    assert "as Latin-1 from here. If it has UTF-8: set encoding utf-8" in player.sees("utf-8\r\n")
    player.sends("say Zoë 😀\r\n".encode())
    host.expect(EventSent, body=Input("say Zoë 😀"))
    player.sends(b"say caf\xe9\r\n")
    player.types("set encoding")
    assert "as Latin-1 from here" not in player.sees("encoding is latin-1 (your client sent what is not UTF-8)")


def test_set_encoding_auto_forgets_the_fall_back(world: World, host: Host) -> None:
    """It is the way back, and says so."""
    player, _ = world.enters(host)
    player.sends(b"say caf\xe9\r\n")
    player.sees("set encoding utf-8\r\n")
    player.types("set encoding auto")
    player.sees("encoding is utf-8 (as nearly every client has it)")


def test_a_mistyped_set_is_answered_at_the_login_and_in_the_game(world: World, host: Host) -> None:
    """The game keeps what may be its own."""
    player = world.player()
    player.types("set foo")
    player.sees("There is no setting foo.")
    player, _ = world.enters(host)
    player.types("set wrapp 40", "set trap 40")
    player.sees("There is no setting wrapp. Did you mean: set wrap 40")
    host.expect(EventSent, body=Input("set trap 40"))


@pytest.mark.parametrize("plays", [False, True])
def test_auto_chosen_before_the_login_wins_over_the_account(world: World, host: Host, plays: bool) -> None:
    """What was answered at the prompt is what holds, also where the character plays already."""
    account = world.account("Ada")
    world.accounts.set_settings(account.id, msgspec.json.encode(Settings(screenreader=True, wrap=60)).decode())
    if plays:
        first = world.player()
        first.types("connect Ada secret1")
        assert listens(host.joined())
    player = world.player()
    player.types("set screenreader auto", "connect Ada secret1")
    if plays:
        host.expect(EventSent, body=Resize(60, 24, False, anew=True))
    else:
        assert not listens(host.joined())
    chosen = Settings(screenreader=None, wrap=60)
    world.wait_until(lambda: kept(world.accounts.all()[0].settings) == chosen, "the choice is kept")


def test_who_listens_no_more_sees_one_prompt_the_new_one(world: World, host: Host) -> None:
    """The one that was made to be listened to is not drawn before the game has made another (FM-7)."""
    player, seat = world.enters(host)
    player.types("set screenreader on")
    host.acks(host.expect(EventSent, body=Resize(80, 24, True)))
    host.says(Out("world", 1, [(seat.session, 1, 1)], Text("Rain falls.\n", prompt="20 hp ")))
    player.sees("Rain falls.\r\n")
    player.types("set screenreader off")
    heard = host.expect(EventSent, body=Resize(80, 24, False))
    player.sees("listened to.\r\n")
    host.says(Out("world", 1, [(seat.session, 1, 2)], Text("", prompt="<20hp> ")))
    host.acks(heard)
    assert player.sees("<20hp> ") == "<20hp> "
