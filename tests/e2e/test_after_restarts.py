"""Who may go on with what, when processes have died: sessions are brought together with seats, and nobody else's."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.clients import PASSWORD, LineClient
from tests.e2e.plaza import Plaza, plaza
from tests.e2e.server import wait_until
from tests.gateway.web.client import WebClient


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Plaza]:
    """The plaza, running."""
    with plaza(tmp_path) as place:
        yield place


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """What is closed in the end."""
    with ExitStack() as opened:
        yield opened


def comes(opened: ExitStack, place: Plaza, name: str) -> LineClient:
    """Somebody with a new character, who may not be in the room yet."""
    client = LineClient(name, place.server.address)
    opened.callback(client.close)
    client.log_in()
    return client


def plays(place: Plaza, client: LineClient) -> bool:
    """Whether the gateway has a player of this name; a room need not have heard of them."""
    return any((one["name"], one["stage"]) == (client.name, "playing") for one in place.server.ask("sessions"))


def page(opened: ExitStack, place: Plaza, name: str, *, create: bool = True) -> WebClient:
    """A page whose player is in the room."""
    host, port = place.server.ask("status")["listening"]["web"][0]
    client = WebClient((host, port))
    opened.callback(client.drops)
    client.logs_in(name, PASSWORD, create=create)
    client.sees(f"Welcome to the plaza, {name}.")
    return client


def test_sessions_and_seats_are_brought_together_when_a_room_comes_back(place: Plaza, opened: ExitStack) -> None:
    """Known to both sides: goes on. To the gateway alone: joins. To the room alone: is gone (FM-92)."""
    both = comes(opened, place, "Both")
    both.wait_for("Welcome to the plaza")
    with place.held():
        place.kill("host")
        both.send("say in between")
        gateway_only = comes(opened, place, "Gate")
        wait_until(lambda: plays(place, gateway_only), "a player whom no room knows")
    gateway_only.wait_for("Welcome to the plaza, Gate.")
    both.wait_for('You say, "in between"')
    gateway_only.command("who", "here: Both, Gate.")
    gateways = len(place.server.events("ready", name="gateway"))
    with place.held():
        place.kill("host", "gateway")
        both.wait_closed()
        gateway_only.wait_closed()
        place.server.wait_event("ready", gateways + 1, name="gateway")
        alone = comes(opened, place, "Eve")
        wait_until(lambda: plays(place, alone), "a player whom no room knows")
    alone.wait_for("Welcome to the plaza, Eve.")
    alone.command("who", "here: Eve.")
    alone.command("say alone", 'You say, "alone"')
    assert [room["seats"] for room in place.server.ask("rooms")] == [1]


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_token_of_an_earlier_gateway_opens_no_session(place: Plaza, opened: ExitStack, end: str) -> None:
    """Somebody else has the first session of the next one, and keeps it; its owner logs in again (FM-13, FM-14)."""
    ada = page(opened, place, "Ada")
    ada.drops()
    if end == "stop":
        place.server.stop()
        place.server.start()
    else:
        gateways = len(place.server.events("ready", name="gateway"))
        place.kill("gateway")
        place.server.wait_event("ready", gateways + 1, name="gateway")
    bob = page(opened, place, "Bob")
    ada._address = tuple(place.server.ask("status")["listening"]["web"][0])
    ada.connects()
    assert ada.refused
    ada.types("who")
    ada.sees("One is playing: Bob.")
    bob.types("say still me")
    bob.sees('You say, "still me"')
    assert bob.doubled == 0
    again = page(opened, place, "Ada", create=False)
    again.types("who")
    again.sees("here: Ada, Bob.")
