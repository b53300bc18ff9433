"""What one client, or one address, can cost the others: lines, sizes, places, accounts, and a turn."""

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from perdure.gateway.client import IGNORED_BYTES_MAX, READ_BYTES, Client
from perdure.gateway.limits import Limits
from perdure.gateway.wire import LINE_BYTES_MAX
from perdure.link.gateway import TAIL_EVENTS_MAX
from perdure.link.messages import EventSent, Out, OutAck
from perdure.room.record import Input, Leave, Resize, Text
from tests.gateway.web.client import WebSocket
from tests.gateway.web.world import Web
from tests.gateway.world import World, running

DO_GMCP = b"\xff\xfd\xc9"
WILL_NAWS = b"\xff\xfb\x1f"
TERMINAL = "terminal.mudstandards.org"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with running(tmp_path) as it:
        yield it


def at_once(lines: int, **more: Any) -> Limits:
    """So many lines may be typed; the next one has to wait for longer than any test."""
    return Limits(loopback=True, lines_per_s=0.001, lines_burst=lines, **more)


def gmcp(message: bytes) -> bytes:
    return b"\xff\xfa\xc9" + message + b"\xff\xf0"


def size(columns: int, rows: int) -> bytes:
    """The client's window, as NAWS says it."""
    return b"\xff\xfa\x1f" + columns.to_bytes(2, "big") + rows.to_bytes(2, "big") + b"\xff\xf0"


def sizes_of_reads(client: Client) -> list[int]:
    """How much each read of the client brings, from here on."""
    taken: list[int] = []
    receive = client.wire.receive

    def counted(data: bytes) -> Any:
        taken.append(len(data))
        return receive(data)

    client.wire.receive = counted  # type: ignore[method-assign]
    return taken


def waiting(world: World) -> int:
    """How many of the oldest session's events the room has not acknowledged."""
    count: int = world.asks("sessions")[0]["in_unacked"]
    return count


# --- what counts as a line ---


@pytest.mark.parametrize(("lines", "taken"), [(2, 0), (3, 1)])
def test_a_change_of_settings_counts_as_a_line(tmp_path: Path, lines: int, taken: int) -> None:
    """Each may be written to the disk: who changes them in a loop is slowed like who types in one (FM-82)."""
    with running(tmp_path, limits=at_once(lines)) as world:
        web = Web(world)
        page, joined = web.plays()
        web.host.tells(joined, 1, "A bar.\n")
        page.sees("A bar.\n")
        page.socket.sends(
            json.dumps({"type": "settings", "prompt": False}), json.dumps({"type": "line", "n": 2, "text": "look"})
        )
        while page.settings.get("prompt", True):
            page.waits_for("settings")
        assert waiting(world) == taken
        web.finish()


@pytest.mark.parametrize(("lines", "taken"), [(2, 0), (3, 1)])
def test_a_list_of_packages_counts_as_a_line(tmp_path: Path, lines: int, taken: int) -> None:
    """It is answered with everything that stands: 25 bytes may cost 500,000 (FM-82)."""
    with running(tmp_path, limits=at_once(lines)) as world:
        host = world.host()
        player, joined = world.enters(host)
        host.tells(joined, 1, Text("", gmcp=("Char.Vitals", b'{"hp":7}')))
        host.tells(joined, 2, "A bar.\n")
        player.sees("A bar.")
        player.sends(DO_GMCP + gmcp(b'Core.Supports.Set ["Char 1"]') + b"look\r\n")
        player.sees_bytes(b'Char.Vitals {"hp":7}')
        assert waiting(world) == taken


@pytest.mark.parametrize(("lines", "taken"), [(1, 0), (2, 1)])
def test_a_login_of_the_clients_own_counts_as_a_line(tmp_path: Path, lines: int, taken: int) -> None:
    """It is a password to be verified, like one that is typed (FM-82)."""
    with running(tmp_path, limits=at_once(lines)) as world:
        host = world.host()
        world.account("Ada")
        player = world.player()
        login = b'Char.Login.Credentials {"account":"ada","password":"secret1"}'
        player.sends(DO_GMCP + gmcp(login) + b"look\r\n")
        host.expect(EventSent, n=0)
        assert waiting(world) == 1 + taken


# --- what is no line ---


@pytest.mark.parametrize(
    "aside",
    [
        b"\xff\xf1",
        b"\x08",
        b"a\x08",
        b"\xff\xff",
        gmcp(b"x"),
        b"\xff\xfa\x01\xff\xf0",
        b"".join(size(columns, 25) for columns in range(80, 90)),
    ],
    ids=["nop", "erase", "type-erase", "ff", "gmcp", "unasked", "sizes"],
)
def test_who_sends_much_that_is_no_line_is_not_read_on(tmp_path: Path, aside: bytes) -> None:
    """It takes time, too: a millisecond for a read, in each turn, and for each connection of an address (FM-82)."""
    with running(tmp_path, limits=at_once(3)) as world:
        player = world.player()
        (client,) = world.gateway.clients
        taken = sizes_of_reads(client)
        player.sends(WILL_NAWS + DO_GMCP)
        world.wait_until(lambda: sum(taken) == 6, "the start is read")
        player.sends(aside * (60_000 // len(aside)))
        world.wait_until(lambda: not client._reading, "it is not read any more")
        assert sum(taken) <= 300 * len(aside) + 2 * READ_BYTES
        assert client.open


def test_nothing_of_what_is_not_read_at_once_is_lost(tmp_path: Path) -> None:
    """It is read, and the line behind it taken, as soon as the address may send more (FM-82)."""
    with running(tmp_path, limits=Limits(loopback=True, lines_per_s=200, lines_burst=1)) as world:
        host = world.host()
        player, _ = world.enters(host)
        player.sends(WILL_NAWS + b"".join(size(columns, 25) for columns in range(100, 999)) + b"look\r\n")
        while (event := host.expect(EventSent)).body != Input("look"):
            assert isinstance(event.body, Resize)
            host.acks(event)
        assert world.asks("sessions")[0]["columns"] == 998


def test_a_window_that_is_dragged_and_a_start_of_many_options_hold_nobody_up(tmp_path: Path) -> None:
    """Ten seconds of it at once, by the limits as they are (FM-82)."""
    with running(tmp_path, limits=Limits(loopback=True)) as world:
        host = world.host()
        player, _ = world.enters(host)
        player.sends(WILL_NAWS + b"".join(b"\xff\xfc" + bytes([option]) for option in range(40, 60)))
        player.sends(b"".join(size(100 + step % 50, 25) for step in range(600)) + b"look\r\n")
        while (event := host.expect(EventSent)).body != Input("look"):
            host.acks(event)
        (client,) = world.gateway.clients
        assert client._reading


@pytest.mark.parametrize("kind", ["ping", "resize", "ack"])
def test_a_page_that_sends_much_that_is_no_line_is_not_read_on(tmp_path: Path, kind: str) -> None:
    """Each frame counts, whatever it says (FM-82)."""
    with running(tmp_path, limits=at_once(2)) as world:
        web = Web(world)
        page, _ = web.plays()
        page.settles()
        client = next(iter(world.gateway.clients))
        for n in range(250):
            if kind == "ping":
                page.socket.pings()
            elif kind == "resize":
                page.sends("resize", columns=80 + n % 9, rows=25)
            else:
                page.sends("ack", serial=1)
        world.wait_until(lambda: not client._reading, "it is not read any more")
        assert client.open
        web.finish()


def test_who_is_told_goodbye_is_not_read_for_ever(world: World) -> None:
    """Whatever still comes is ignored, and reading it takes time, too (FM-82)."""
    player = world.player()
    (client,) = world.gateway.clients
    with contextlib.suppress(OSError):  # nobody reads it to its end
        player.sends(b"\xff\xfa\x18" + b"x" * 32 * 1024 * 1024)
    world.wait_until(lambda: not world.gateway.clients, "it is closed")
    assert 0 < client._ignored <= IGNORED_BYTES_MAX + READ_BYTES


def test_what_acknowledges_a_text_does_not_count(tmp_path: Path) -> None:
    """There are as many as there are texts; who is told much is not held up for having heard it (FM-82)."""
    with running(tmp_path, limits=at_once(2)) as world:
        web = Web(world)
        page, joined = web.plays()
        for m in range(1, 400):
            web.host.tells(joined, m, f"Text {m}.\n")
            page.sees(f"Text {m}.\n")
            web.host.expect(OutAck, m=m)
        web.finish()


# --- what a room hears ---


def test_a_room_hears_of_one_window_at_a_time_and_of_the_last_one(world: World) -> None:
    """Whoever drags a window's corner makes hundreds of sizes; each would be a callback and a record (FM-17)."""
    host = world.host()
    player, _ = world.enters(host)
    player.sends(WILL_NAWS + size(100, 25))
    assert host.expect(EventSent).body == Resize(100, 25, False)
    for columns in range(101, 400):
        player.sends(size(columns, 25))
    player.types("look")
    look = host.expect(EventSent)
    assert look.body == Input("look")
    assert waiting(world) == 2
    host.acks(look)
    last = host.expect(EventSent)
    assert last.body == Resize(399, 25, False)
    host.acks(last)
    player.types("north")
    assert host.expect(EventSent).body == Input("north")


def test_a_window_that_is_as_before_in_the_end_is_not_told(world: World) -> None:
    """Nothing changed, as far as the room can know."""
    host = world.host()
    player, _ = world.enters(host)
    player.sends(WILL_NAWS + size(100, 25))
    resize = host.expect(EventSent, n=1)
    for columns in (200, 100):
        player.sends(size(columns, 25))
        world.wait_until(lambda columns=columns: world.asks("sessions")[0]["columns"] == columns, "the size is here")
    host.acks(resize)
    player.types("north")
    assert host.expect(EventSent).body == Input("north")


def test_a_window_waits_for_a_full_tail(world: World) -> None:
    """The bound of what a room has not yet taken holds for sizes, too (rule G1)."""
    host = world.host()
    player, _ = world.enters(host)
    player.sends(b"look\r\n" * TAIL_EVENTS_MAX)
    world.wait_until(lambda: waiting(world) == TAIL_EVENTS_MAX, "a full tail")
    player.sends(WILL_NAWS + size(100, 25))
    world.wait_until(lambda: world.asks("sessions")[0]["columns"] == 100, "the size is here")
    assert waiting(world) == TAIL_EVENTS_MAX
    host.acks(host.expect(EventSent, n=TAIL_EVENTS_MAX))
    assert host.expect(EventSent).body == Resize(100, 25, False)


# --- what others notice ---


def test_many_questions_at_once_are_all_answered(world: World) -> None:
    """They do not nest: each answer is a turn of its own (FM-90)."""
    host = world.host()
    world.account("Ada")
    player = world.player()
    player.types(*["who"] * 500, "connect Ada secret1")
    host.joined()
    assert world.stages() == ["playing"]


def test_a_text_that_breaks_a_connection_breaks_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody else has their text, the broken one may come back and goes on after it (FM-90)."""
    host = world.host()
    names = ["Ada", "Bob", "Cyd", "Dan", "Eve", "Fay", "Gus", "Hal"]
    seats = [world.enters(host, name) for name in names]
    (broken,) = (client for client, it in world.gateway.clients.items() if it and it.who and it.who.name == "Dan")

    def breaks(_held: Any) -> None:
        raise ValueError("a wire's bug")

    monkeypatch.setattr(broken.wire, "show", breaks)

    def tells_all(m: int) -> None:
        host.says(Out("world", 1, [(joined.session, joined.j, m) for _, joined in seats], Text(f"Heard {m}.\n")))

    for m in (1, 2):
        tells_all(m)
        for name, (player, _) in zip(names, seats, strict=True):
            if name != "Dan":
                player.sees(f"Heard {m}.")
    assert "Heard" not in seats[3][0].is_closed()
    assert sorted(world.stages()) == ["link-dead", *["playing"] * 7]
    again = world.player()
    again.types("connect Dan secret1")
    again.sees("Welcome back, Dan.")
    tells_all(3)
    again.sees("Heard 3.")


def test_a_turn_takes_no_more_from_a_client_than_its_longest_line(world: World) -> None:
    """Whoever floods the gateway with the smallest messages costs the others a millisecond each time (FM-82)."""
    player = world.player()
    (client,) = world.gateway.clients
    taken = sizes_of_reads(client)
    player.sends(b"\xff\xf1" * 50_000)
    world.wait_until(lambda: sum(taken) == 100_000, "all of it is read")
    assert max(taken) <= LINE_BYTES_MAX


def test_a_vanished_client_is_noticed_while_something_is_on_its_way_too(world: World) -> None:
    """Keepalive alone says nothing as long as data is unacknowledged; the bound of both is two minutes (FM-92)."""
    world.player()
    (client,) = world.gateway.clients
    assert client._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 120_000
    assert client._sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1


# --- what an address has ---


def test_those_who_are_away_have_their_places(tmp_path: Path) -> None:
    """A place is free when a player has left, not when they are gone for a moment (FM-82)."""
    with running(tmp_path, limits=Limits(loopback=True, per_address_max=2)) as world:
        host = world.host()
        first, _seat = world.enters(host, "Ada")
        second, _ = world.enters(host, "Bob")
        for player in (first, second):
            player.drops()
        world.wait_until(lambda: world.stages() == ["link-dead"] * 2, "both are away")
        for name in ("connect Cyd secret1", "guest"):
            if name != "guest":
                world.account("Cyd")
            third = world.player()
            third.types(name)
            assert "There are 2 players from your address already." in third.is_closed()
        again = world.player()
        again.types("connect Ada secret1")
        again.sees("Welcome back, Ada.")
        again.types("quit")
        host.acks(host.expect(EventSent, body=Leave("quit")))
        again.is_closed()
        world.enters(host, "Cyd")
        assert sorted(world.stages()) == ["link-dead", "playing"]


def test_another_addresss_places_are_its_own(tmp_path: Path) -> None:
    """Behind a proxy each player counts where they are (FM-82)."""
    with running(tmp_path, limits=Limits(per_address_max=1, proxies=("127.0.0.1",))) as world:
        host = world.host()
        for n in (7, 8):
            world.account(f"Ada{n}")
            player = world.stranger()
            player.sends(f"PROXY TCP4 192.0.2.{n} 192.0.2.1 50000 4000\r\nconnect Ada{n} secret1\r\n".encode())
            host.joined()
        assert world.stages() == ["playing"] * 2


def test_a_network_does_not_fill_the_server(tmp_path: Path) -> None:
    """A /48 has 65,536 addresses: at the door, at the web's, and as players (FM-82)."""
    limits = Limits(per_address_max=1, proxies=("127.0.0.1",))
    with running(tmp_path, limits=limits) as world:

        def knocks(number: int, of: int = 1) -> Any:
            player = world.stranger()
            player.sends(f"PROXY TCP6 2001:db8:{of:x}:{number:x}::7 2001:db8::1 50000 4000\r\n".encode())
            return player

        for number in range(16):
            knocks(number).sees("Name: ")
        assert "There are 16 connections from your network already." in knocks(16).is_closed()
        page = WebSocket(world.web_address, TERMINAL, headers={"X-Forwarded-For": "2001:db8:1:77::7"})
        said = page.receives()
        assert isinstance(said, bytes)
        assert b"16 connections from your network" in said
        page.drops()
        knocks(16, of=2).sees("Name: ")


def test_a_page_behind_a_proxy_takes_one_place_and_gives_it_back(tmp_path: Path) -> None:
    """That of its player, not that of the proxy as well: else the server were full of nobody (FM-82)."""
    with running(tmp_path, limits=Limits(clients_max=2, proxies=("127.0.0.1",))) as world:
        for _ in range(3):
            pages = []
            for n in (1, 2):
                pages.append(WebSocket(world.web_address, TERMINAL, headers={"X-Forwarded-For": f"192.0.2.{n}"}))
                assert pages[-1].is_open
                world.wait_until(lambda n=n: len(world.stages()) == n, "the page has a session")
            for page in pages:
                page.closes()
            world.wait_until(lambda: world.asks("status")["connections"] == 0, "both are out")


def test_a_page_goes_on_where_its_own_dead_connection_fills_the_address(tmp_path: Path) -> None:
    """The network is gone, and the server has not noticed; whoever has nothing to go on with is refused (FM-82)."""
    with running(tmp_path, limits=Limits(loopback=True, per_address_max=1)) as world:
        web = Web(world)
        page, joined = web.plays()
        dead = page.socket
        page.connects()
        assert (page.missed, page.refused) == (0, "")
        web.host.tells(joined, 1, "A bar.\n")
        page.sees("A bar.\n")
        assert "is 1 connection from your address" in web.page(token="0" * 32).waits_for("bye")["reason"]
        dead.drops()
        web.finish()


def test_new_accounts_cost_their_address(tmp_path: Path) -> None:
    """Some at once, then each has to wait: an account is for ever (FM-82)."""
    with running(tmp_path, limits=Limits(loopback=True, characters_free=3)) as world:
        host = world.host()
        for name in ("Anna", "Bert", "Cleo"):
            world.player().types(f"create {name} a-long-password-7")
            host.joined()
        player = world.player()
        player.types("create Dora a-long-password-7")
        answer = player.sees("Name: ")
        assert "Many characters were made from your address today, and yours was not. Wait 1 s" in answer
        world.gateway._desk.creators.state["127.0.0.1"].count = 99
        player.types("create Dora a-long-password-7")
        assert "Wait 60 minutes, then try again." in player.sees("Name: ")
        assert sorted(row.name for row in world.accounts.all()) == ["Anna", "Bert", "Cleo"]


def test_new_accounts_are_counted_apart_from_logins(tmp_path: Path) -> None:
    """Somebody who logs in does not set the count back, and whoever shares the address logs in at once (FM-82)."""
    with running(tmp_path, limits=Limits(loopback=True, characters_free=2, logins_free=2)) as world:
        host = world.host()
        for name in ("Anna", "Bert"):
            world.player().types(f"create {name} a-long-password-7")
            host.joined()
            world.enters(host, f"{name}son")
        player = world.player()
        player.types("create Dora a-long-password-7")
        assert "Wait" in player.sees("Name: ")
        assert world.accounts.find("Dora") is None
