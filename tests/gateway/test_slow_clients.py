"""Clients that take nothing, or send more than can be taken: what waits is bounded, and they are told why."""

import socket
from pathlib import Path

import pytest

from perdure.gateway.client import BUFFER_BYTES_MAX, Client
from perdure.gateway.intake import IN_FLIGHT_MAX
from perdure.gateway.limits import Limits
from perdure.gateway.players import HELD_BYTES_MAX
from perdure.gateway.wire import KEPT_BYTES
from perdure.link.gateway import TAIL_EVENTS_MAX
from perdure.link.messages import EventSent, Out, OutAck
from perdure.room.record import Input, Leave, Text
from tests.gateway.web.client import WebClient
from tests.gateway.web.world import Web
from tests.gateway.world import PATIENCE_S, World, running

TEXT_BYTES = 64 * 1024


def test_who_takes_no_text_leaves_before_it_fills_the_memory(tmp_path: Path) -> None:
    """At 4 MiB the room is told that they left; the others play on, and the player may come back (FM-17)."""
    with running(tmp_path) as world:
        host = world.host()
        slow, seat = world.enters(host, "Slow")
        other, other_seat = world.enters(host, "Other")
        for m in range(1, HELD_BYTES_MAX // TEXT_BYTES + 200):
            host.tells(seat, m, "x" * (TEXT_BYTES - 1) + "\n")
        left = host.expect(EventSent, n=1)
        assert (left.session, left.body) == (seat.session, Leave("slow"))
        host.tells(other_seat, 1, "All is well.\n")
        other.sees("All is well.")
        host.acks(left)
        assert "Your connection takes text too slowly. You left the game." in slow.is_closed()
        world.player().types("connect slow secret1")
        assert host.joined().session != seat.session


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_page_may_have_so_many_lines_on_their_way_and_no_more(tmp_path: Path, beyond: int) -> None:
    """TCP cannot hold it back, since it acknowledges. It sends again what was not taken: each line once (FM-17)."""
    with running(tmp_path) as world:
        web = Web(world)
        page, _ = web.plays()
        count = TAIL_EVENTS_MAX + IN_FLIGHT_MAX + beyond
        page.types(*(f"line {n}" for n in range(1, count + 1)))
        world.wait_until(lambda: world.asks("sessions")[0]["in_unacked"] == TAIL_EVENTS_MAX, "a full tail")
        if beyond:
            page.is_closed()
            assert f"More than {IN_FLIGHT_MAX} lines came at once" in page.text
            world.wait_until(lambda: world.stages() == ["link-dead"], "the end of the connection")
        for n in range(1, count + 1):
            if beyond and n == TAIL_EVENTS_MAX + 1:
                page.connects()
            event = web.host.expect(EventSent, n=n)
            assert event.body == Input(f"line {n}")
            web.host.acks(event)
        web.finish()


def test_a_line_that_comes_again_is_taken_once(tmp_path: Path) -> None:
    """A page that did not hear what was taken sends it again; its number tells (FM-13)."""
    with running(tmp_path) as world:
        web = Web(world)
        page, _ = web.plays()
        page.types("buy sword")
        page.sends("line", n=page.n, text="buy sword")
        page.sends("line", n=page.n - 1, text="connect Ada secret1")
        page.types("look")
        for n, line in enumerate(["buy sword", "look"], start=1):
            event = web.host.expect(EventSent, n=n)
            assert event.body == Input(line)
            web.host.acks(event)
        page.settles()
        assert web.host.hears_nothing_more() == []
        web.finish()


def test_a_paste_is_taken_slowly_and_wholly_from_a_page_too(tmp_path: Path) -> None:
    """Whom the rate slows down is held back by TCP, like everybody: only a full tail makes a flood (FM-17, FM-82)."""
    with running(tmp_path, limits=Limits(loopback=True, lines_per_s=1000, lines_burst=5)) as world:
        web = Web(world)
        page, _ = web.plays()
        count = 3 * IN_FLIGHT_MAX
        page.types(*(f"line {n}" for n in range(1, count + 1)))
        for n in range(1, count + 1):
            event = web.host.expect(EventSent, n=n)
            assert event.body == Input(f"line {n}")
            web.host.acks(event)
        page.waits_until_taken(count + 1)
        assert page.socket.is_open
        web.finish()


def test_what_a_slowed_page_acknowledges_is_heard_at_once(tmp_path: Path) -> None:
    """Its lines wait for their turn; else what it is told meanwhile would pile up in the room (FM-17)."""
    with running(tmp_path, limits=Limits(loopback=True, lines_per_s=0.001, lines_burst=1)) as world:
        web = Web(world)
        page, joined = web.plays()
        page.types(*(f"line {n}" for n in range(IN_FLIGHT_MAX)))
        for m in range(1, 4):
            web.host.tells(joined, m, f"Text {m}.\n")
            page.sees(f"Text {m}.\n")
            web.host.expect(OutAck, m=m)
        assert world.asks("sessions")[0]["in_unacked"] == 0
        web.finish()


def test_a_page_that_reads_and_never_acknowledges_leaves_before_it_fills_the_memory(tmp_path: Path) -> None:
    """What it was sent is kept for it until it says that it has it: that counts, notices too (FM-17)."""
    with running(tmp_path) as world:
        web = Web(world)
        page, joined = web.plays()
        page.settles()
        page.acks = False
        count = HELD_BYTES_MAX // TEXT_BYTES
        for n in range(count):
            assert world.stages() == ["playing"], f"after {n} notices"
            world.asks("notice", room="world", text=f"{n:05} {'x' * (TEXT_BYTES - 10)}")
            page.sees(f"{n:05} ")
        world.asks("notice", room="world", text="y" * TEXT_BYTES)
        assert world.stages() == ["leaving"]
        left = web.host.expect(EventSent, n=1)
        assert (left.session, left.body) == (joined.session, Leave("slow"))
        web.host.acks(left)
        page.sees("Your connection takes text too slowly. You left the game.")
        assert page.is_closed() == 4001
        web.finish()


def made_slow(world: World, page: WebClient) -> Client:
    """The page's connection at the gateway, with small buffers at both ends of it."""
    (client,) = world.gateway.clients
    page.socket.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    return client


def test_a_page_that_reads_nothing_is_not_read(tmp_path: Path) -> None:
    """Replies to what it sends would pile up; what it typed is taken when it reads again (FM-17)."""
    text = Text("x" * BUFFER_BYTES_MAX + "\n")  # what the system takes of one leaves less than the bound
    with running(tmp_path) as world:
        web = Web(world)
        page, joined = web.plays()
        made_slow(world, page)
        seat = joined.session, joined.j
        web.host.says(*[Out(joined.room, web.host.epoch, [(*seat, m)], text) for m in range(1, 4)])
        world.wait_until(lambda: world.asks("sessions")[0]["out_bytes"] > 1.5 * BUFFER_BYTES_MAX, "texts wait")
        page.types("look")
        for _ in range(20):  # the loop looks at its sockets in each of these
            assert world.asks("sessions")[0]["in_unacked"] == 0
        page.socket.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        for _ in range(3):
            page.sees(text.text)
        assert web.host.expect(EventSent, n=1).body == Input("look")
        web.finish()


def test_a_slow_page_whose_player_goes_on_elsewhere_is_told_so(tmp_path: Path) -> None:
    """The frame that it is in the middle of is finished first; what follows is the other connection's (FM-13)."""
    with running(tmp_path) as world:
        web = Web(world)
        page, joined = web.plays()
        page.settles()
        client = made_slow(world, page)
        page.acks = False
        for m in range(1, 6):
            web.host.tells(joined, m, f"begin {m} {'x' * 60_000} end {m}\n")
        world.wait_until(lambda: client.buffered >= BUFFER_BYTES_MAX, "the buffer is full")
        other = web.page()
        other.logs_in("Ada", "secret1")
        assert page.is_closed() == 4001
        assert "another connection" in page.bye
        for m in range(1, 6):
            other.sees(f"begin {m} ")
            other.sees(f" end {m}\n")
        assert other.doubled == 0
        web.finish()


@pytest.mark.parametrize(
    ("method", "reason", "result"),
    [("sessions.end", "slow", {"ended": 1}), ("stop", "stop", {"sessions": 1, "undrained": 0})],
)
def test_who_is_told_a_last_word_too_much_leaves_once(
    tmp_path: Path, method: str, reason: str, result: dict[str, int]
) -> None:
    """Why a visit ends may be what makes it too much that waits: the end goes on, theirs and everybody's (FM-17)."""
    with running(tmp_path, link_dead_s=3600.0) as world:
        host = world.host()
        ada, joined = world.enters(host)
        ada.drops()
        world.wait_until(lambda: world.stages() == ["link-dead"], "Ada is away")
        world.asks("notice", room="world", text="x" * (HELD_BYTES_MAX - KEPT_BYTES - 2))
        assert world.stages() == ["link-dead"]
        ended = world.later(method, account="a1")
        left = host.expect(EventSent, n=1)
        assert (left.session, left.body) == (joined.session, Leave(reason))
        host.acks(left)
        assert ended.result(PATIENCE_S) == result
