"""A room moves from one host to another under the players of a gateway, over real sockets.

The old host's link stays open and goes on talking for a while, as it does in every copyover: what it says then is
an echo of a room that lives elsewhere.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure.errors import ContractError
from perdure.gateway.telnet import codes as telnet
from perdure.link.gateway import TAIL_EVENTS_MAX
from perdure.link.messages import VERSION, Ack, EventSent, HostHello, Out, OutAck, RoomUp, SeatGone
from perdure.room.record import End, Input, Join, Leave, Resize, Text
from perdure.versions import CONTROL, LINK
from tests.gateway.world import Host, Player, World, running

WILL_NAWS = bytes((telnet.IAC, telnet.WILL, telnet.NAWS))
DO_EOR = bytes((telnet.IAC, telnet.DO, telnet.EOR))
GA = bytes((telnet.IAC, telnet.GA))
EOR = bytes((telnet.IAC, telnet.EOR_MARK))
MOVEMENTS = 50
DO_ECHO = bytes((telnet.IAC, telnet.DO, telnet.ECHO))
WILL_ECHO = bytes((telnet.IAC, telnet.WILL, telnet.ECHO))
WONT_ECHO = bytes((telnet.IAC, telnet.WONT, telnet.ECHO))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with running(tmp_path) as world:
        yield world


@pytest.fixture
def old(world: World) -> Host:
    host = world.idle_host("host-1", "1")
    host.up()
    return host


def successor(world: World) -> Host:
    """The host that takes the rooms over."""
    return world.idle_host("host-2", "2")


def is_routed(world: World, build: str) -> None:
    """Wait until the gateway knows where the room is."""
    world.wait_until(lambda: world.gateway.build("world") == build, f"the room runs in build {build!r}")


def has_typed(world: World, player: Player, *lines: str, waiting: int) -> None:
    """The player types, and the gateway has it."""
    player.types(*lines)
    world.wait_until(lambda: world.asks("sessions")[0]["in_unacked"] == waiting, f"{waiting} lines wait")


# --- the move itself ---


def test_lines_that_the_old_host_did_not_acknowledge_go_to_the_new_one(world: World, old: Host) -> None:
    """Exactly those, in order, with the numbers that they had (G4)."""
    player, seat = world.enters(old)
    player.types("a", "b")
    old.acks(old.expect(EventSent, n=1))
    has_typed(world, player, "c", waiting=2)
    new = successor(world)
    new.up(epoch=2, seats={seat.session: (1, 1)})
    assert [(e.n, e.body) for e in (new.expect(EventSent), new.expect(EventSent))] == [(2, Input("b")), (3, Input("c"))]
    player.types("d")
    assert new.expect(EventSent).n == 4
    assert [m for m in old.hears_nothing_more() if isinstance(m, EventSent) and m.n == 4] == []


def test_what_the_old_host_still_says_is_an_echo(world: World, old: Host) -> None:
    """Its texts are not shown, its acknowledgements drop nothing, its announcement takes no route (FM-31, FM-92)."""
    player, seat = world.enters(old)
    has_typed(world, player, "a", waiting=1)
    new = successor(world)
    new.up(epoch=2, seats={seat.session: (1, 0)})
    assert new.expect(EventSent).n == 1
    old.says(
        Out("world", 1, [(seat.session, 1, 1)], Text("echo\n")),
        Ack("world", 1, seat.session, 1, 1),
        RoomUp("world", 1, 0, {seat.session: (1, 1)}),
        Out("world", 1, [(seat.session, 1, 1)], End("echo")),
    )
    old.up("barn")  # whatever stood before this was read
    world.wait_until(lambda: world.gateway.build("barn") == "1", "the old host was heard")
    assert world.asks("sessions")[0]["in_unacked"] == 1
    assert world.gateway.build("world") == "2"
    new.tells(seat, 1, "here\n")
    player.sees("here\r\n")
    assert "echo" not in player.text
    assert world.stages() == ["playing"]


def test_the_end_of_the_old_link_does_not_unroute_what_moved(world: World, old: Host) -> None:
    """It ends when the old host is done; nothing waits for that."""
    player, seat = world.enters(old)
    new = successor(world)
    new.up(epoch=2, seats={seat.session: (1, 0)})
    is_routed(world, "2")
    old.sock.close()
    world.wait_until(lambda: world.asks("status")["links"] == 1, "the old link is gone")
    player.types("a")
    assert new.expect(EventSent).body == Input("a")


def test_rooms_that_stay_are_served_by_the_old_host(world: World, old: Host) -> None:
    """A partial copyover: each room has a route of its own, and its build is told per session."""
    old.up("barn")
    player, seat = world.enters(old)
    new = successor(world)
    new.up("barn", epoch=2)
    player.types("a")
    assert old.expect(EventSent, n=1).body == Input("a")
    assert [session["build"] for session in world.asks("sessions")] == ["1"]
    new.up(epoch=2, seats={seat.session: (1, 1)})
    is_routed(world, "2")
    assert [session["build"] for session in world.asks("sessions")] == ["2"]


def test_an_aborted_move_goes_on_where_it_stopped(world: World, old: Host) -> None:
    """The old host reclaims the room under a higher epoch, on the link that it always had (FM-93)."""
    player, seat = world.enters(old)
    has_typed(world, player, "a", waiting=1)
    old.up(epoch=2, seats={seat.session: (1, 0)})
    assert old.expect(EventSent, epoch=2).body == Input("a")
    old.tells(seat, 1, "as ever\n")
    player.sees("as ever\r\n")


def test_outputs_that_were_shown_are_not_shown_again(world: World, old: Host) -> None:
    """The successor sends the outbox whole; the gateway knows what was on the screen (G3, H4)."""
    player, seat = world.enters(old)
    old.tells(seat, 1, "one\n")
    player.sees("one\r\n")
    new = successor(world)
    new.up(epoch=2, seats={seat.session: (1, 0)})
    for m, text in enumerate(("one", "two"), start=1):
        new.tells(seat, m, f"{text}\n")
    player.sees("two\r\n")
    assert re.findall("one|two", player.text) == ["one", "two"]
    assert new.expect(OutAck, m=2).session == seat.session


def test_known_zombie_and_stale_sessions_are_told_apart(world: World, old: Host) -> None:
    """Three-way: one is known to both, one only to the host, one only to the gateway (FM-92)."""
    _, known = world.enters(old)
    world.account("Bob")
    late = world.player()
    late.types("connect bob secret1")
    stale = old.expect(EventSent, n=0)
    assert stale.session != known.session
    new = successor(world)
    new.up(epoch=2, seats={known.session: (1, 0), "gateway.7.99": (3, 5)})
    assert new.expect(EventSent).session == stale.session
    assert new.expect(SeatGone) == SeatGone("world", "gateway.7.99", 3)
    assert world.stages() == ["playing", "playing"]


def test_the_fiftieth_movement_is_like_the_first(world: World, old: Host) -> None:
    """A line each time, shown once; no link, descriptor or route is left over (FM-12, FM-30)."""
    player, seat = world.enters(old)
    host = old
    fds = world.asks("status")["fds"]
    for n in range(1, MOVEMENTS + 1):
        has_typed(world, player, f"line {n}", waiting=1)
        new = world.idle_host(f"host-{n + 1}", str(n + 1))
        new.up(epoch=n + 1, seats={seat.session: (1, n - 1)})
        event = new.expect(EventSent)
        assert (event.n, event.body) == (n, Input(f"line {n}"))
        new.tells(seat, n, f"<{n}>\n")
        new.acks(event)
        player.sees(f"<{n}>")
        host.sock.close()
        host = new
    world.wait_until(lambda: world.asks("status")["links"] == 1, "the last old link is gone")
    assert re.findall(r"<(\d+)>", player.text) == [str(n) for n in range(1, MOVEMENTS + 1)]
    assert world.asks("status")["fds"] == fds


# --- hosts that do not do what they should ---


def test_a_successor_that_is_deaf_holds_lines_up_and_loses_none(world: World, old: Host) -> None:
    """It announces the room and reads nothing (FM-9): the tail fills, the client waits, the next owner gets it all."""
    player, seat = world.enters(old)
    deaf = successor(world)
    deaf.up(epoch=2, seats={seat.session: (1, 0)})
    is_routed(world, "2")
    count = TAIL_EVENTS_MAX + 100
    has_typed(world, player, *(f"line {n}" for n in range(1, count + 1)), waiting=TAIL_EVENTS_MAX)
    other = world.idle_host("host-3", "3")
    other.up(epoch=3, seats={seat.session: (1, 0)})
    for n in range(1, count + 1):
        event = other.expect(EventSent)
        assert (event.n, event.body) == (n, Input(f"line {n}"))
        other.acks(event)


def test_a_host_that_never_says_a_word_disturbs_nobody(world: World, old: Host) -> None:
    """It hangs while it boots: connected, and no more (FM-31)."""
    player, _ = world.enters(old)
    world.idle_host("host-2", "2")
    player.types("a")
    assert old.expect(EventSent, n=1).body == Input("a")
    assert world.asks("sessions")[0]["build"] == "1"


def test_a_host_that_the_gateway_cannot_speak_to_takes_no_room(world: World, old: Host) -> None:
    """Its hello is refused and its link closed; the room stays where it is (FM-97)."""
    player, _ = world.enters(old)
    strange = world.idle_host("host-2", "2")
    strange.says(HostHello(VERSION + 1, VERSION + 2, "host-2", "3"), RoomUp("world", 9, 0, {}))
    assert strange.is_closed()
    player.types("a")
    assert old.expect(EventSent, n=1).body == Input("a")


# --- who is not playing just now ---


def test_a_login_dialogue_stays_where_it_is(world: World, old: Host) -> None:
    """At the password prompt: nothing is said, the echo stays off, and the password still works (FM-1, FM-5, FM-96)."""
    world.account("Ada")
    player = world.player()
    player.types("ada")
    player.sees("Password: ")
    player.sends(DO_ECHO)
    before = player.raw
    new = successor(world)
    assert world.asks("announce", text="A movement.", rooms=None) == {"told": 0}
    new.up(epoch=2)
    is_routed(world, "2")
    old.sock.close()
    world.wait_until(lambda: world.asks("status")["links"] == 1, "the old link is gone")
    player.types("secret1")
    join = new.joined()
    assert isinstance(join.body, Join)
    assert join.body.who.name == "Ada"
    new.tells(join, 1, "Hello.\n")
    player.sees("Hello.")
    assert player.raw.startswith(before)
    between = player.raw[len(before) :]
    assert b"movement" not in between
    assert before.count(WILL_ECHO) == 1
    assert WILL_ECHO not in between
    assert between.count(WONT_ECHO) == 1


def test_who_logs_in_while_nobody_runs_the_room_waits_and_is_not_refused(world: World, old: Host) -> None:
    """Connections are taken and joins wait in the tail, with all that was typed ahead (FM-11)."""
    old.sock.close()
    world.wait_until(lambda: world.asks("status")["links"] == 0, "nobody serves")
    world.account("Ada")
    player = world.player()
    player.types("connect ada secret1", "look")
    world.wait_until(lambda: world.stages() == ["playing"], "she is in")
    new = successor(world)
    new.up(epoch=2)
    new.joined()
    assert new.expect(EventSent, n=1).body == Input("look")


def test_a_connection_that_takes_over_during_the_movement_gets_the_session(world: World, old: Host) -> None:
    """Seat, tail and numbers stay; the end of the older connection is not the player's (FM-14, FM-15)."""
    first, seat = world.enters(old)
    has_typed(world, first, "a", waiting=1)
    old.sock.close()
    world.wait_until(lambda: world.asks("status")["links"] == 0, "nobody serves")
    second = world.player()
    second.sends(WILL_NAWS)
    second.types("connect ada secret1", "b")
    second.sees("Welcome back")
    first.is_closed()
    new = successor(world)
    new.up(epoch=2, seats={seat.session: (1, 0)})
    heard = [new.expect(EventSent, session=seat.session, n=n).body for n in (1, 2, 3)]
    assert heard == [Input("a"), Resize(80, 24, anew=True), Input("b")]
    new.tells(seat, 1, "still you\n")
    second.sees("still you")
    assert [session["id"] for session in world.asks("sessions")] == [seat.session]


def test_half_a_line_is_finished_after_the_movement(world: World, old: Host) -> None:
    """What was typed without an Enter is the gateway's to keep (FM-4)."""
    player, seat = world.enters(old)
    player.sends(b"say he")
    new = successor(world)
    new.up(epoch=2, seats={seat.session: (1, 0)})
    is_routed(world, "2")
    world.asks("announce", text="Done.", rooms=None)
    player.sees("Done.")
    player.sends(b"llo\r\n")
    assert new.expect(EventSent).body == Input("say hello")


def test_address_window_and_name_are_those_of_before(world: World, old: Host) -> None:
    """A window that changes while nobody runs the room is told to whoever runs it next (FM-7)."""
    player, seat = world.enters(old)
    before = world.asks("sessions")[0]
    old.sock.close()
    world.wait_until(lambda: world.asks("status")["links"] == 0, "nobody serves")
    size = (132).to_bytes(2, "big") + (50).to_bytes(2, "big")
    player.sends(WILL_NAWS + bytes((telnet.IAC, telnet.SB, telnet.NAWS)) + size + bytes((telnet.IAC, telnet.SE)))
    world.wait_until(lambda: world.asks("sessions")[0]["in_unacked"] == 1, "the size is in the tail")
    new = successor(world)
    new.up(epoch=2, seats={seat.session: (1, 0)})
    event = new.expect(EventSent)
    assert event.body == Resize(132, 50)
    new.acks(event)
    world.wait_until(lambda: world.asks("sessions")[0]["in_unacked"] == 0, "it is acknowledged")
    assert world.asks("sessions")[0] == {**before, "build": "2", "columns": 132, "rows": 50}


# --- announcements ---


def test_a_movement_by_itself_puts_nothing_on_a_screen(world: World, old: Host) -> None:
    """No text, no prompt, no telnet negotiation: not a byte (FM-29)."""
    player, seat = world.enters(old)
    old.tells(seat, 1, "one\n")
    player.sees("one\r\n")
    old.expect(OutAck)
    before = player.raw
    new = successor(world)
    new.up(epoch=2, seats={seat.session: (1, 0)})
    is_routed(world, "2")
    old.sock.close()
    new.tells(seat, 2, "two\n")
    player.sees("two\r\n")
    assert re.sub(rb"^" + re.escape(GA), b"", player.raw[len(before) :]).startswith(b"two\r\n")


@pytest.mark.parametrize(("offer", "mark"), [(b"", GA), (DO_EOR, EOR)])
def test_an_announcement_is_one_line_before_the_prompt(world: World, old: Host, offer: bytes, mark: bytes) -> None:
    """Colour stays, what else controls goes; strict clients show it at once, and no second prompt (FM-6, FM-83)."""
    world.account("Ada")
    player = world.player()
    player.sends(offer)
    player.types("connect ada secret1")
    seat = old.joined()
    old.says(Out("world", 1, [(seat.session, 1, 1)], Text("", prompt="> ")))
    player.sees("> ")
    assert world.asks("announce", text="\x1b[33mSoon\x1b[2J.\x1b[0m\n\n", rooms=None) == {"told": 1}
    player.sees("Soon.\x1b[0m\r\n> ")
    old.tells(seat, 2, "Then.\n")
    player.sees("Then.\r\n> ")
    soon = b"\r\n\x1b[33mSoon.\x1b[0m\r\n> " + mark
    assert b"> " + mark + soon + b"\r\nThen.\r\n> " + mark in player.raw
    assert [m for m in old.hears_nothing_more() if isinstance(m, OutAck) and m.m > 2] == []


def test_only_players_of_the_rooms_that_are_meant_hear_it(world: World, old: Host) -> None:
    """A canary concerns some rooms; who is away hears no old news when they return."""
    player, _ = world.enters(old)
    world.player()
    assert world.asks("announce", text="x", rooms=["barn"]) == {"told": 0}
    assert world.asks("announce", text="x", rooms=["barn", "world"]) == {"told": 1}
    player.sees("x\r\n")
    player.drops()
    world.wait_until(lambda: "link-dead" in world.stages(), "the drop is noticed")
    assert world.asks("announce", text="old news", rooms=None) == {"told": 0}


@pytest.mark.parametrize("params", [{}, {"text": ""}, {"text": 3}, {"text": "x", "rooms": "world"}])
def test_an_announcement_that_is_none_is_refused(world: World, params: dict[str, object]) -> None:
    """Before anybody hears anything."""
    with pytest.raises(ContractError, match="announce"):
        world.asks("announce", **params)


def test_the_banner_says_the_build_that_serves(tmp_path: Path) -> None:
    """New connections see the new one after a movement; while nobody serves, the one that did."""
    with running(tmp_path, banner="This is {build}!") as world:
        assert "This is !" in world.player().text
        old = world.idle_host("host-1", "41")
        old.up()
        is_routed(world, "41")
        assert "This is 41!" in world.player().text
        new = world.idle_host("host-2", "42")
        assert "This is 41!" in world.player().text
        new.up(epoch=2)
        is_routed(world, "42")
        new.sock.close()
        is_routed(world, "")
        assert "This is 42!" in world.player().text


# --- what it cost ---


def test_status_says_which_versions_are_spoken(world: World) -> None:
    """So that nobody starts a host that could not talk to this gateway (FM-97)."""
    status = world.asks("status")
    assert status["link"] == list(LINK)
    assert status["control"] == list(CONTROL)


def test_a_watch_tells_how_long_lines_waited_and_that_all_stayed(world: World, old: Host) -> None:
    """Between `on` and `off`, whoever ran the room."""
    player, seat = world.enters(old)
    world.wait_until(lambda: world.asks("sessions")[0]["in_unacked"] == 0, "the join is acknowledged")
    assert world.asks("movement.watch", on=True) == {"sessions": 1}
    has_typed(world, player, "a", waiting=1)
    new = successor(world)
    new.up(epoch=2, seats={seat.session: (1, 0)})
    new.acks(new.expect(EventSent))
    world.wait_until(lambda: world.asks("sessions")[0]["in_unacked"] == 0, "it is acknowledged")
    report = world.asks("movement.watch", on=False)
    assert (report["kept"], report["lost"]) == (1, 0)
    assert report["longest_wait_ms"] == report["waits"]["p99"] == report["waits"]["p50"] > 0
    with pytest.raises(ContractError, match="nothing is watched"):
        world.asks("movement.watch", on=False)


def test_who_goes_by_themselves_is_neither_kept_nor_lost(world: World, old: Host) -> None:
    """A quit, and a connection that breaks, are the player's; a session that its room ends is not."""
    quitter, seat = world.enters(old, "Ada")
    dropper, _ = world.enters(old, "Bob")
    _, ended = world.enters(old, "Cyd")
    world.enters(old, "Dan")
    assert world.asks("movement.watch", on=True) == {"sessions": 4}
    quitter.types("quit")
    old.acks(old.expect(EventSent, session=seat.session, body=Leave("quit")))
    dropper.drops()
    old.tells(ended, 1, End("The floor gives way."))
    world.wait_until(lambda: sorted(world.stages()) == ["link-dead", "playing"], "one is there, and one away")
    report = world.asks("movement.watch", on=False)
    assert (report["kept"], report["lost"]) == (2, 1)


def test_watching_wants_a_yes_or_a_no(world: World) -> None:
    """Nothing is guessed."""
    with pytest.raises(ContractError, match="true or false"):
        world.asks("movement.watch")
