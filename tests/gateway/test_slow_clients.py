"""Clients that take nothing, or send more than can be taken: what waits is bounded, and they are told why."""

from pathlib import Path

import pytest

from perdure.gateway.players import HELD_BYTES_MAX
from perdure.gateway.intake import IN_FLIGHT_MAX
from perdure.link.gateway import TAIL_EVENTS_MAX
from perdure.link.messages import EventSent
from perdure.room.record import Input, Leave
from tests.gateway.test_web_gateway import Web
from tests.gateway.world import running

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
