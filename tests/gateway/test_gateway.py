"""The gateway over real sockets, with a scripted host at the other end of the link."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure.gateway import desk
from perdure.gateway.client import BUFFER_BYTES_MAX
from perdure.gateway.limits import Limits
from perdure.gateway.telnet import codes as telnet
from perdure.link.gateway import TAIL_EVENTS_MAX
from perdure.link.messages import Ack, EventSent, Out, OutAck, SeatGone
from perdure.room.record import End, Go, Input, Join, Leave, Refused, Resize, Text, Who
from tests.gateway.world import Host, World, running

WILL_NAWS = bytes((telnet.IAC, telnet.WILL, telnet.NAWS))
GA = bytes((telnet.IAC, telnet.GA))


def subnegotiation(option: int, body: bytes) -> bytes:
    return bytes((telnet.IAC, telnet.SB, option)) + body + bytes((telnet.IAC, telnet.SE))


def naws(columns: int, rows: int) -> bytes:
    return subnegotiation(telnet.NAWS, columns.to_bytes(2, "big") + rows.to_bytes(2, "big"))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with running(tmp_path) as world:
        yield world


@pytest.fixture
def host(world: World) -> Host:
    return world.host()


# --- logging in ---


def test_a_player_logs_in_and_joins_the_first_room(world: World, host: Host) -> None:
    """The host learns session, account, role and window, never a password (G8)."""
    world.account("Ada")
    world.accounts.set_role("Ada", "builder")
    player = world.player()
    player.sends(WILL_NAWS + naws(120, 50))
    player.types("connect ada secret1")
    event = host.joined()
    assert event.session.startswith("gateway.7.")
    assert (event.room, event.j, event.body) == ("world", 1, Join(Who("a1", "Ada", "builder"), 120, 50))


def test_lines_go_to_the_game_and_its_text_comes_back(world: World, host: Host) -> None:
    """There and back, acknowledged on both sides (G1, G3)."""
    player, seat = world.enters(host)
    player.types("look")
    event = host.expect(EventSent, n=1)
    assert event.body == Input("look")
    host.says(Ack("world", 1, seat.session, 1, 1), Out("world", 1, [(seat.session, 1, 1)], Text("A \x1b[2Jbar.\n")))
    player.sees("A bar.\r\n")
    assert host.expect(OutAck).m == 1
    assert player.raw.endswith(b"A bar.\r\n"), "a game without a prompt has nothing to be marked"


def test_a_prompt_stands_once_behind_each_answer_also_where_there_is_nothing_to_say(world: World, host: Host) -> None:
    """It does not come back before the answer; and a line that the game answers with nothing brings it back (FM-6)."""
    player, seat = world.enters(host)
    host.says(Out("world", 1, [(seat.session, 1, 1)], Text("", prompt="> ")))
    player.sees("> ")
    player.types("look")
    host.expect(EventSent, n=1)
    host.says(Out("world", 1, [(seat.session, 1, 2)], Text("A bar.\n")), Ack("world", 1, seat.session, 1, 1))
    assert player.sees("> ") == "A bar.\r\n> "
    player.types("")
    host.acks(host.expect(EventSent, n=2))
    assert player.sees("> ") == "> "
    assert player.raw.count(b"> " + GA) == 3


def test_a_prompt_does_not_come_back_for_gmcp_before_the_answer(world: World, host: Host) -> None:
    """A list of packages while a login is checked, or a game's GMCP before its answer, shows nothing (FM-6)."""
    world.account("Ada")
    player = world.player()
    player.sends(bytes((telnet.IAC, telnet.DO, telnet.GMCP)))
    world.accounts.gate.clear()
    player.types("connect ada secret1")
    world.wait_until(lambda: dialogue_stages(world) == ["waiting"], "the login is checked")
    player.sends(subnegotiation(telnet.GMCP, b'Core.Supports.Set ["Char 1","Char.Login 1"]'))
    player.sees_bytes(b"Char.Login.Default")
    world.accounts.gate.set()
    seat = host.joined()
    host.says(Out("world", 1, [(seat.session, 1, 1)], Text("", prompt="> ")))
    player.sees("> ")
    assert player.raw.count(b"Name: ") == 1
    player.types("look")
    look = host.expect(EventSent, n=1)
    host.says(Out("world", 1, [(seat.session, 1, 2)], Text("", gmcp=("Char.Vitals", b'{"hp":1}'))))
    player.sees_bytes(b"Char.Vitals")
    host.tells(look, 3, "A bar.\n")
    host.acks(look)
    assert player.sees("> ") == "A bar.\r\n> "


def test_help_before_the_login_is_read_aloud_without_columns(world: World) -> None:
    """As soon as the client has said that its player listens."""
    player = world.player()
    player.sends(bytes((telnet.IAC, telnet.WILL, telnet.NEW_ENVIRON)))
    player.sends(subnegotiation(telnet.NEW_ENVIRON, b"\0\0SCREEN_READER\x011"))
    player.types("help")
    player.sees("connect NAME PASSWORD: play your character.\r\n")


def test_a_room_without_a_prompt_takes_the_one_before_it_away(world: World, host: Host) -> None:
    """What a room left standing holds in that room."""
    player, seat = world.enters(host)
    host.says(Out("world", 1, [(seat.session, 1, 1)], Text("", prompt="<20hp> ")))
    player.sees("<20hp> ")
    host.says(Out("world", 1, [(seat.session, 1, 2)], Go("world", 0)))
    again = host.joined()
    assert again.j == 2
    host.says(Out("world", 1, [(seat.session, 2, 1)], Text("Nothing here.\n")))
    player.sees("Nothing here.\r\n")
    player.types("look")
    host.expect(EventSent, n=1)
    host.says(Out("world", 1, [(seat.session, 2, 2)], Text("Still nothing.\n")), Ack("world", 1, seat.session, 2, 1))
    assert player.sees("Still nothing.\r\n") == "Still nothing.\r\n"


def test_lines_typed_ahead_of_the_login_reach_the_game(world: World, host: Host) -> None:
    """One packet with the login and the first commands loses nothing."""
    world.account("Ada")
    world.player().types("connect ada secret1", "look", "north")
    host.joined()
    assert [host.expect(EventSent, n=n).body for n in (1, 2)] == [Input("look"), Input("north")]


def test_a_new_character_is_made_with_the_echo_off(world: World, host: Host) -> None:
    """A name, a yes, the password twice; the terminal shows neither (FM-96)."""
    player = world.player()
    player.types("Bob")
    player.sees("(yes or no)")
    player.types("yes")
    player.sees("New password: ")
    assert bytes((telnet.IAC, telnet.WILL, telnet.ECHO)) in player.raw
    player.types("tr0ub4dor")
    player.sees("The same again: ")
    player.types("tr0ub4dor")
    join = host.joined().body
    assert isinstance(join, Join)
    assert join.who.name == "Bob"
    world.wait_until(lambda: world.asks("sessions")[0]["stage"] == "playing", "Bob plays")


def test_guests_get_names_and_ids_of_their_own(world: World, host: Host) -> None:
    """The lowest free number; the id is the session's."""
    seats = []
    for _ in range(2):
        world.player().types("guest")
        seats.append(host.joined())
    assert [seat.body.who for seat in seats if isinstance(seat.body, Join)] == [
        Who(f"guest:{seat.session}", f"Guest{n}", "player") for n, seat in enumerate(seats, 1)
    ]


def test_who_is_answered_before_logging_in(world: World, host: Host) -> None:
    """Link-dead players are still there; those in the dialogue are not."""
    world.enters(host)
    other = world.player()
    other.types("who")
    assert "One is playing: Ada." in other.sees("playing: Ada.")


def test_who_lists_those_who_play_by_name(world: World, host: Host) -> None:
    """Whoever came, comes back or goes in between (FM-13)."""
    players = {name: world.enters(host, name)[0] for name in ("Zoe", "Ada", "Mia", "Bob")}
    again = world.player()
    again.types("connect mia secret1")
    again.sees("Welcome back")
    asks = world.player()
    asks.types("who")
    asks.sees("4 are playing: Ada, Bob, Mia, Zoe.")
    for name in ("Bob", "Zoe"):
        players[name].types("quit")
        host.acks(host.expect(EventSent, n=1, body=Leave("quit")))
        players[name].is_closed()
    asks.types("who")
    asks.sees("2 are playing: Ada, Mia.")


def test_a_disabled_account_is_refused(world: World) -> None:
    """The right password does not help."""
    world.account("Ada")
    world.accounts.set_disabled("Ada", True)
    player = world.player()
    player.types("connect ada secret1")
    player.sees("may not log in")


def test_failed_logins_make_the_next_one_wait_and_other_accounts_do_not(world: World, host: Host) -> None:
    """Only failures are throttled, by account and by address (FM-82)."""
    world.account("Ada")
    player = world.player()
    for _ in range(desk.NAME_TRIES_FREE):
        player.types("connect ada wrong-one")
        player.sees("not the password")
    player.types("connect ada secret1")
    player.sees("Too many failed tries")
    world.enters(host, "Bob")


def test_a_login_of_ones_own_forgives_no_guess_at_others(tmp_path: Path) -> None:
    """Who has an account, and logs in between the guesses, is throttled all the same (FM-82)."""
    with running(tmp_path, limits=Limits(logins_free=2, loopback=True)) as world:
        host = world.host()
        for name in ("Ada", "Bob", "Cid"):
            world.account(name)
        world.enters(host, "Eve")
        player = world.player()
        player.types("connect ada wrong-one")
        player.sees("not the password")
        player.types("connect eve secret1")
        player.sees("Welcome back")
        player = world.player()
        player.types("connect bob wrong-one")
        player.sees("not the password")
        player.types("connect cid wrong-one")
        player.sees("Too many failed tries")


def test_guesses_made_in_parallel_gain_nothing(world: World) -> None:
    """Each request looks at the book when its turn comes (FM-82)."""
    world.account("Ada")
    world.accounts.gate.clear()
    players = [world.player() for _ in range(8)]
    for player in players:
        player.types("connect ada wrong-one")
    world.wait_until(lambda: all(stage == "waiting" for stage in dialogue_stages(world)), "all wait")
    world.accounts.gate.set()
    replies = [player.sees("Name: ") for player in players]
    assert sum("not the password" in reply for reply in replies) == desk.NAME_TRIES_FREE


def dialogue_stages(world: World) -> list[str]:
    return [session.dialogue.stage for session in list(world.gateway.sessions.values())]


def test_a_full_queue_says_busy(world: World) -> None:
    """Logins beyond the bound are answered, not queued without end."""
    world.accounts.gate.clear()
    players = [world.player() for _ in range(desk.QUEUE_MAX + 4)]
    for player in players:
        player.types("connect nobody secret1")
    busy = 3  # one is in hand, QUEUE_MAX wait

    def answered() -> int:
        return sum(stage == "name" for stage in dialogue_stages(world))

    world.wait_until(lambda: answered() == busy, "the queue overflows")
    world.accounts.gate.set()
    assert sum("Many are logging in" in player.sees("Name: ") for player in players) == busy


def test_a_player_who_goes_while_the_password_is_checked_leaves_nothing(world: World, host: Host) -> None:
    """The answer finds nobody, and nobody joins (FM-1)."""
    world.account("Ada")
    player = world.player()
    world.accounts.gate.clear()
    player.types("connect ada secret1")
    world.wait_until(lambda: dialogue_stages(world) == ["waiting"], "the desk works")
    player.drops()
    world.wait_until(lambda: world.asks("status")["connections"] == 0, "it is gone")
    world.accounts.gate.set()
    _, seat = world.enters(host)
    assert [m for m in host.heard if isinstance(m, EventSent)] == [seat]


# --- limits and hostile clients ---


def test_the_deadline_to_the_first_line_closes_with_a_reason(tmp_path: Path) -> None:
    """A connection that says nothing, or drips bytes, is not kept (FM-81)."""
    with running(tmp_path, limits=Limits(first_line_s=0.05)) as world:
        player = world.stranger()
        player.sends(b"x")
        assert "too long to log in" in player.is_closed()


def test_the_deadline_to_login_closes_with_a_reason(tmp_path: Path) -> None:
    """Lines that lead nowhere do not keep a connection (FM-81)."""
    with running(tmp_path, limits=Limits(login_s=0.05)) as world:
        player = world.player()
        player.types("who")
        assert "too long to log in" in player.is_closed()


def test_connections_per_address_are_limited_with_a_reason(tmp_path: Path) -> None:
    """The one too many is told why, and a place becomes free again (FM-82)."""
    with running(tmp_path, limits=Limits(per_address_max=2, loopback=True)) as world:
        first, _ = world.player(), world.player()
        assert "2 connections from your address" in world.stranger().is_closed()
        first.drops()
        world.wait_until(lambda: world.asks("status")["connections"] == 1, "one left")
        world.player()


def test_connections_in_all_are_limited_with_a_reason(tmp_path: Path) -> None:
    """A full server says so (FM-82)."""
    with running(tmp_path, limits=Limits(clients_max=1)) as world:
        world.player()
        assert "server is full" in world.stranger().is_closed()


def test_a_line_beyond_the_cap_is_refused_and_the_next_one_counts(world: World, host: Host) -> None:
    """64 KiB without a line end never reach the game (FM-80)."""
    player, _ = world.enters(host)
    player.types("x" * 65536, "look")
    player.sees("nothing of it was taken")
    assert host.expect(EventSent, n=1).body == Input("look")


def test_garbage_in_lines_is_cleaned_before_the_game_sees_it(world: World, host: Host) -> None:
    """NUL, escapes, bidi controls and the marks of links (FM-80, FM-83)."""
    player, _ = world.enters(host)
    player.sends("say \x00a\x1b]0;owned\x07\u202eb\ufdd0quit\ufdd1c\ufdd2\x9b2J\r\n".encode())
    assert host.expect(EventSent, n=1).body == Input("say abquitc")


def test_what_is_not_utf_8_is_latin_1_from_then_on(world: World, host: Host) -> None:
    """For this session, both ways (FM-80)."""
    player, seat = world.enters(host)
    player.sends(b"say caf\xe9\r\n")
    assert host.expect(EventSent, n=1).body == Input("say caf\xe9")
    host.says(Out("world", 1, [(seat.session, 1, 1)], Text("Caf\xe9.\n")))
    host.expect(OutAck)
    player.sends(b"x\r\n")
    host.expect(EventSent, n=2)
    player.sees_bytes(b"Caf\xe9.\r\n")


@pytest.mark.parametrize(
    ("storm", "reason"),
    [
        ((WILL_NAWS + bytes((telnet.IAC, telnet.WONT, telnet.NAWS))) * 1000, "too many telnet commands"),
        (bytes((telnet.IAC, telnet.SB, telnet.NAWS)) + b"x" * 20_000, "subnegotiation"),
    ],
)
def test_a_telnet_storm_is_disconnected_and_its_session_stays(
    world: World, host: Host, storm: bytes, reason: str
) -> None:
    """The connection ends with a reason; the player may come back (FM-80)."""
    player, seat = world.enters(host)
    player.sends(storm)
    assert reason in player.is_closed()
    assert world.stages() == ["link-dead"]
    again = world.player()
    again.types("connect ada secret1", "look")
    assert host.expect(EventSent, n=1).session == seat.session


def test_a_client_that_is_still_sending_gets_the_reason_and_no_reset(world: World) -> None:
    """Closing over unread input would reset the connection, and the last words with it (FM-80)."""
    player = world.player()
    player.sends(bytes((telnet.IAC, telnet.DO, 99)) * 400 + b"x" * 400_000)
    assert "too many telnet commands" in player.is_closed()


def test_a_full_tail_stops_the_reading_and_loses_nothing(world: World, host: Host) -> None:
    """TCP holds a client back whose room acknowledges nothing (G1, G6)."""
    player, seat = world.enters(host)
    lines = 3 * TAIL_EVENTS_MAX
    player.types(*(f"say {n}" for n in range(lines)))
    host.expect(EventSent, n=TAIL_EVENTS_MAX)
    report = world.asks("sessions")[0]
    assert report["in_unacked"] == TAIL_EVENTS_MAX
    assert [m for m in host.hears_nothing_more() if isinstance(m, EventSent)] == []
    for n in range(1, lines + 1):
        event = (
            host.expect(EventSent, n=n) if n > TAIL_EVENTS_MAX else EventSent("world", 1, seat.session, 1, n, Input(""))
        )
        assert n <= TAIL_EVENTS_MAX or event.body == Input(f"say {n - 1}")
        host.acks(event)


def test_a_slow_reader_holds_no_more_than_its_bound_and_acknowledges_only_what_left(world: World, host: Host) -> None:
    """What the socket does not take is not acknowledged, so the room's outbox is the bound (FM-17)."""
    world.account("Ada")
    player = world.player(receive_bytes=4096)
    player.types("connect ada secret1")
    seat = host.joined()
    line, count = "x" * 4000 + "\n", 800  # beyond what the kernel buffers for both sockets
    for m in range(1, count + 1):
        host.tells(seat, m, line)
    session = world.gateway.sessions[seat.session]
    world.wait_until(lambda: len(session.held) > 0 and session.held_bytes < 4_000_000, "the socket is full")
    assert session.client is not None
    assert session.client.buffered <= BUFFER_BYTES_MAX + len(line) + 1
    acked = [m.m for m in host.hears_nothing_more() if isinstance(m, OutAck)]
    assert not acked or max(acked) < count
    host.tells(seat, count + 1, End("You read too slowly."))
    world.wait_until(lambda: world.gateway.sessions == {}, "the session is over")
    assert "You read too slowly." in player.is_closed()
    assert player.text.count(line.strip()) == count


def test_who_sends_without_reading_is_not_read(world: World) -> None:
    """Replies to a client that takes none are bounded, whatever it asks for (FM-80)."""
    player = world.player(receive_bytes=4096)
    player.sock.setblocking(False)
    asked = bytes((telnet.IAC, telnet.AYT)) * 50 + b"help\r\n"
    (client,) = world.gateway.clients

    def refuses() -> bool:
        with contextlib.suppress(BlockingIOError):
            while player.sock.send(asked * 100):
                assert client.buffered <= 2 * BUFFER_BYTES_MAX
        return world.gateway._intake.waits(client)

    world.wait_until(refuses, "the client is held back")
    player.sock.settimeout(60)
    player.sees("[Yes]")


def test_all_of_a_long_text_reaches_a_reader_and_is_acknowledged_in_order(world: World, host: Host) -> None:
    """Partial writes lose nothing (G3)."""
    player, seat = world.enters(host)
    for m in range(1, 1001):
        host.tells(seat, m, f"{m} " + "y" * 4000 + "\n")
    player.sees("1000 yyy")
    host.expect(OutAck, m=1000)
    assert [int(n) for n in re.findall(r"(\d+) y", player.text)] == list(range(1, 1001))
    acked = [m.m for m in host.heard if isinstance(m, OutAck)]
    assert acked == sorted(set(acked))


# --- sessions ---


def test_a_dropped_player_comes_back_to_the_same_seat_with_what_was_not_shown(world: World, host: Host) -> None:
    """Link-dead, texts wait unacknowledged; logging in goes on where it stopped (FM-15)."""
    player, seat = world.enters(host)
    player.drops()
    world.wait_until(lambda: world.stages() == ["link-dead"], "the drop is noticed")
    host.tells(seat, 1, "You hear a noise.\n")
    host.tells(seat, 2, "It was the cat.\n")
    host.says(Ack("world", 1, seat.session, 1, 0))
    assert [m for m in host.hears_nothing_more() if isinstance(m, OutAck)] == []
    again = world.player()
    again.types("connect ada secret1")
    assert "Welcome back, Ada." in again.sees("You hear a noise.\r\nIt was the cat.\r\n")
    assert host.expect(OutAck, m=2).session == seat.session
    again.types("look")
    assert host.expect(EventSent, body=Input("look")).session == seat.session


def test_logging_in_twice_takes_the_session_over_and_losing_the_old_one_changes_nothing(
    world: World, host: Host
) -> None:
    """The old connection is told and closed; its end is not taken for the player's (FM-15)."""
    old, seat = world.enters(host)
    new = world.player()
    new.types("connect ada secret1")
    new.sees("Welcome back")
    assert "played from another connection" in old.is_closed()
    old.drops()
    world.wait_until(lambda: world.asks("status")["connections"] == 1, "the old one is closed")
    assert world.stages() == ["playing"]
    host.tells(seat, 1, "Still here.\n")
    new.sees("Still here.")


def test_taking_over_from_a_client_that_does_not_read_shows_the_rest_and_only_the_rest(
    world: World, host: Host
) -> None:
    """What was handed to the old socket is not repeated, what was not is shown whole (I4)."""
    world.account("Ada")
    old = world.player(receive_bytes=4096)
    old.types("connect ada secret1")
    seat = host.joined()
    count = 1500
    for m in range(1, count + 1):
        host.tells(seat, m, f"<{m}:" + "z" * 4000 + ">\n")
    host.tells(seat, count + 1, "the end\n")
    session = world.gateway.sessions[seat.session]
    world.wait_until(lambda: session.held and session.held[-1].m == count + 1, "the old socket is full")
    new = world.player()
    new.types("connect ada secret1")
    new.sees("the end")
    host.expect(OutAck, m=count + 1)
    old.is_closed()
    before, _, _ = old.text.partition("\r\nYour character")
    handed = [int(m) for m in re.findall(r"<(\d+):z{4000}>\r\n", before)]
    whole = [int(m) for m in re.findall(r"<(\d+):z{4000}>\r\n", new.text)]
    assert handed == list(range(1, len(handed) + 1))
    assert whole == list(range(whole[0], count + 1))
    assert whole[0] == len(handed) + 1


def test_a_client_lost_with_unsent_text_leaves_that_text_to_the_next_one(world: World, host: Host) -> None:
    """The first text that was not acknowledged is the first that is shown (I4, FM-15)."""
    world.account("Ada")
    old = world.player(receive_bytes=4096)
    old.types("connect ada secret1")
    seat = host.joined()
    for m in range(1, 1501):
        host.tells(seat, m, f"<{m}:" + "z" * 4000 + ">\n")
    session = world.gateway.sessions[seat.session]
    world.wait_until(lambda: session.held and session.held[-1].m == 1500, "the old socket is full")
    old.drops()
    world.wait_until(lambda: world.stages() == ["link-dead"], "the drop is noticed")
    acked = max(m.m for m in (*host.heard, *host.hears_nothing_more()) if isinstance(m, OutAck))
    new = world.player()
    new.types("connect ada secret1")
    new.sees("<1500:")
    assert re.findall(r"<(\d+):z", new.text)[0] == str(acked + 1)


def test_a_taken_over_session_learns_the_new_window(world: World, host: Host) -> None:
    """The seat stays, the size is the new client's (FM-7)."""
    world.enters(host)
    new = world.player()
    new.sends(WILL_NAWS + naws(132, 43))
    new.types("connect ada secret1")
    event = host.expect(EventSent, n=1)
    assert event.body == Resize(132, 43, anew=True)
    for columns in range(100, 80, -1):
        new.sends(naws(columns, 24))
    new.sends(naws(80, 25))
    world.wait_until(lambda: world.asks("sessions")[0]["columns"] == 80, "the window is known")
    host.acks(event)  # a room hears of one size at a time, and then of the one that holds
    assert host.expect(EventSent, n=2).body == Resize(80, 25)


def test_a_game_has_no_more_room_than_where_its_players_text_wraps(world: World, host: Host) -> None:
    """What it lays out for the window would be wrapped (FM-7)."""
    world.account("Ada")
    player = world.player()
    player.sends(WILL_NAWS + naws(80, 24))
    player.types("set wrap 60", "connect ada secret1")
    join = host.joined().body
    assert isinstance(join, Join)
    assert (join.columns, join.rows) == (60, 24)
    sizes = [
        ("set wrap 40", 40),
        ("set wrap off", 80),
        ("set wrap 100", None),
        ("set wrap 20", 20),
        ("set wrap auto", 80),
    ]
    for line, columns in sizes:
        player.types(line)
        player.sees("wrap is ")
        if columns is not None:
            event = host.expect(EventSent)
            assert event.body == Resize(columns, 24)
            host.acks(event)


def test_where_text_wraps_is_the_width_of_a_client_that_says_none(world: World, host: Host) -> None:
    """It is all that is known of its window."""
    player, _ = world.enters(host)
    player.types("set wrap 100")
    assert host.expect(EventSent, n=1).body == Resize(100, 24)


def test_link_death_ends_after_its_time(tmp_path: Path) -> None:
    """Then the room gets the leave, and the session is forgotten when it acknowledges."""
    with running(tmp_path, link_dead_s=0.01) as world:
        host = world.host()
        player, _ = world.enters(host)
        player.drops()
        leave = host.expect(EventSent, n=1)
        assert leave.body == Leave("link-dead")
        host.acks(leave)
        host.expect(SeatGone)
        assert world.stages() == []


def test_a_dropped_guest_leaves_at_once(world: World, host: Host) -> None:
    """Nobody could log in to it again."""
    player = world.player()
    player.types("guest")
    host.joined()
    player.drops()
    assert host.expect(EventSent, n=1).body == Leave("link-dead")


def test_quit_says_goodbye_and_shows_the_rooms_last_words(world: World, host: Host) -> None:
    """The leave is the session's last event; the connection closes when the room has it."""
    player, seat = world.enters(host)
    player.types("QUIT", "look")
    leave = host.expect(EventSent, n=1)
    assert leave.body == Leave("quit")
    host.tells(seat, 1, "Ada is remembered.\n")
    host.acks(leave)
    text = player.is_closed()
    assert "Goodbye." in text
    assert "Ada is remembered." in text
    assert [m for m in host.hears_nothing_more() if isinstance(m, EventSent)] == []


def test_a_quitting_player_is_let_go_though_the_room_is_away(tmp_path: Path) -> None:
    """The leave waits in the tail, the player does not (G6)."""
    with running(tmp_path, limits=Limits(goodbye_s=0.05)) as world:
        host = world.host()
        player, seat = world.enters(host)
        player.types("quit")
        player.is_closed()
        assert world.stages() == ["leaving"]
        host.sock.close()
        other = world.host(epoch=2, seats={seat.session: (1, 0)})
        other.acks(other.expect(EventSent, n=1, body=Leave("quit")))
        world.wait_until(lambda: world.stages() == [], "the leave is acknowledged")


def test_a_login_waits_for_the_accounts_last_session_to_end(world: World, host: Host) -> None:
    """A room never sees two seats of one account."""
    player, _ = world.enters(host)
    player.types("quit")
    leave = host.expect(EventSent, n=1)
    again = world.player()
    again.types("connect ada secret1", "look")
    again.sees("One moment")
    assert [m for m in host.hears_nothing_more() if isinstance(m, EventSent)] == []
    host.acks(leave)
    join = host.joined()
    assert join.session != leave.session
    assert host.expect(EventSent, n=1).body == Input("look")


def test_who_gives_up_waiting_for_their_last_session_does_not_enter(world: World, host: Host) -> None:
    """The place in the queue goes with the connection."""
    player, _ = world.enters(host)
    player.types("quit")
    leave = host.expect(EventSent, n=1)
    again = world.player()
    again.types("connect ada secret1")
    again.sees("One moment")
    again.drops()
    world.wait_until(lambda: world.stages() == ["leaving"], "it is gone")
    host.acks(leave)
    world.wait_until(lambda: world.stages() == [], "the leave is acknowledged")
    assert [m for m in host.hears_nothing_more() if isinstance(m, EventSent)] == []


def test_the_deadlines_of_login_and_link_death_end_with_their_stages(tmp_path: Path) -> None:
    """Who is in stays in: others, whose time began later, run out of it first (FM-81)."""
    with running(tmp_path, link_dead_s=0.3, limits=Limits(first_line_s=0.3, login_s=0.3)) as world:
        host = world.host()
        player, _ = world.enters(host)
        world.stranger().is_closed()
        assert world.stages() == ["playing"]
        player.drops()
        world.wait_until(lambda: world.stages() == ["link-dead"], "the drop is noticed")
        back = world.player()
        back.types("connect ada secret1")
        back.sees("Welcome back")
        other, seat = world.enters(host, "Bob")
        other.drops()
        host.expect(EventSent, session=seat.session, body=Leave("link-dead"))
        assert world.stages()[0] == "playing"


def test_the_room_can_end_a_session_with_a_reason(world: World, host: Host) -> None:
    """What it said before is shown before."""
    player, seat = world.enters(host)
    host.tells(seat, 1, "The floor gives way.\n")
    host.tells(seat, 2, End("You fell out of the world."))
    text = player.is_closed()
    assert "The floor gives way.\r\nYou fell out of the world.\r\n" in text
    assert world.stages() == []


def test_a_player_goes_to_another_room_with_what_was_typed_ahead(world: World, host: Host) -> None:
    """G5, over sockets."""
    host.up("arena")
    player, seat = world.enters(host)
    player.types("enter arena", "fight")
    host.expect(EventSent, n=2)
    host.tells(seat, 1, Go("arena", 1))
    join = host.expect(EventSent, room="arena", n=0)
    assert join.j == 2
    assert host.expect(EventSent, room="arena", n=1).body == Input("fight")
    assert world.asks("sessions")[0]["room"] == "arena"


def test_a_refused_join_brings_the_player_to_the_fallback_room(world: World, host: Host) -> None:
    """The reason is shown."""
    host.up("arena")
    player, seat = world.enters(host)
    host.tells(seat, 1, Go("arena", 0))
    join = host.expect(EventSent, room="arena", n=0)
    host.tells(join, 1, Refused("The arena is closed.", 0))
    player.sees("The arena is closed.")
    assert host.expect(EventSent, room="world", n=0).j == 3


# --- hosts ---


def test_a_host_that_dies_is_not_noticed_by_players_and_the_next_one_gets_the_tail(world: World, host: Host) -> None:
    """No disconnect, nothing lost, nothing shown twice (G3, G4)."""
    player, seat = world.enters(host)
    host.tells(seat, 1, "one\n")
    player.sees("one")
    player.types("a", "b")
    host.expect(EventSent, n=2)
    host.sock.close()
    player.types("c")
    world.wait_until(lambda: world.asks("sessions")[0]["in_unacked"] == 3, "c is in the tail")
    other = world.host(epoch=2, seats={seat.session: (1, 1)})
    assert [other.expect(EventSent, n=n).body for n in (2, 3)] == [Input("b"), Input("c")]
    other.tells(seat, 1, "one\n")
    other.tells(seat, 2, "two\n")
    player.sees("two")
    assert player.text.count("one\r\n") == 1


def test_a_host_that_breaks_the_protocol_is_cut_off_and_the_players_stay(world: World, host: Host) -> None:
    """The link ends with an event; sessions wait for a better host."""
    player, seat = world.enters(host)
    host.tells(seat, 9, "out of order\n")
    assert host.is_closed()
    world.wait_until(lambda: bool(world.events), "the event is there")
    assert world.events[0]["kind"] == "link-refused"
    assert world.stages() == ["playing"]
    other = world.host(epoch=2, seats={seat.session: (1, 0)})
    other.tells(seat, 1, "better\n")
    player.sees("better")


def test_bytes_that_are_no_frame_end_the_link(world: World, host: Host) -> None:
    """A stranger on the link harms nobody."""
    host.sock.sendall(b"\xff" * 64)
    assert host.is_closed()


# --- fault points ---


class FailsOnce:
    """Fails at one fault point, the first time that it is reached."""

    def __init__(self, point: str) -> None:
        self.armed = {point}

    def __call__(self, point: str) -> None:
        if point in self.armed:
            self.armed.remove(point)
            raise OSError(f"arranged at {point}")


def test_a_failure_while_accepting_costs_that_connection_only(tmp_path: Path) -> None:
    """The next one is served, and nothing of the first is kept (FM-8)."""
    with running(tmp_path, fault=FailsOnce("gateway:accepted")) as world:
        assert world.stranger().is_closed() == ""
        world.player()
        assert world.asks("status")["connections"] == 1


def test_a_failure_after_an_event_is_in_its_tail_loses_the_connection_but_not_the_event(tmp_path: Path) -> None:
    """The player comes back to the same seat; the line is applied once (G1)."""
    with running(tmp_path, fault=FailsOnce("gateway:event-appended")) as world:
        host = world.host()
        player, seat = world.enters(host)
        player.types("look")
        assert "Something went wrong" in player.is_closed()
        assert host.expect(EventSent, n=1).body == Input("look")
        again = world.player()
        again.types("connect ada secret1", "north")
        assert host.expect(EventSent, n=2).body == Resize(80, 24, anew=True)
        event = host.expect(EventSent, n=3)
        assert (event.session, event.body) == (seat.session, Input("north"))


def test_a_failure_while_an_output_is_taken_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """The link is closed, the host connects again and sends its outbox again (G3, H4)."""
    with running(tmp_path, fault=FailsOnce("gateway:before-show")) as world:
        host = world.host()
        player, seat = world.enters(host)
        texts = [Out("world", 1, [(seat.session, 1, m)], Text(f"text {m}\n")) for m in (1, 2, 3)]
        host.says(*texts)
        assert host.is_closed()
        again = world.host(seats={seat.session: (1, 0)})
        again.says(*texts)
        player.sees("text 3")
        assert re.findall(r"text \d", player.text) == ["text 1", "text 2", "text 3"]
        assert world.events[0]["kind"] == "link-refused"


# --- control ---


def test_sessions_and_status_report_what_there_is(world: World, host: Host) -> None:
    """The JSON that programs rely on."""
    world.enters(host)
    world.player()
    first, second = world.asks("sessions")
    assert {k: first[k] for k in ("stage", "account", "name", "room", "transport", "in_unacked", "frames_dropped")} == {
        "stage": "playing",
        "account": "a1",
        "name": "Ada",
        "room": "world",
        "transport": "telnet",
        "in_unacked": 0,
        "frames_dropped": 0,
    }
    assert (second["stage"], second["account"], second["out_bytes"]) == ("greeting", "", 0)
    status = world.asks("status")
    assert (status["sessions"], status["connections"], status["links"]) == (1, 2, 1)
    assert status["rss_bytes"] > 0
    assert status["fds"] > 0


def test_a_notice_reaches_the_players_of_that_room(world: World, host: Host) -> None:
    """Outside the numbering: nothing is acknowledged for it."""
    player, _ = world.enters(host)
    assert world.asks("notice", room="world", text="The arena is put aside.") == {"told": 1}
    assert world.asks("notice", room="arena", text="Nobody hears this.") == {"told": 0}
    player.sees("The arena is put aside.\r\n")
    assert [m for m in host.hears_nothing_more() if isinstance(m, OutAck)] == []


def test_stop_says_goodbye_and_waits_for_the_rooms(world: World, host: Host) -> None:
    """Each room gets its leaves, each player a word; then everything is closed (FM-41)."""
    player, _ = world.enters(host)
    stranger = world.player()
    answer = world.later("stop")
    leave = host.expect(EventSent, n=1)
    assert leave.body == Leave("stop")
    assert not answer.done()
    host.acks(leave)
    assert "Your character is saved." in player.is_closed()
    assert "server is stopping" in stranger.is_closed()
    assert answer.result(20) == {"sessions": 1, "undrained": 0}
    assert host.is_closed()
    with pytest.raises(ConnectionRefusedError):
        world.stranger()


def test_the_goodbye_comes_behind_all_that_happens_in_the_room(world: World, host: Host) -> None:
    """At stop everybody leaves: nobody sees others go who was told goodbye already, and nobody is told it twice."""
    ada, seat = world.enters(host, "Ada")
    op, other = world.enters(host, "Op")
    answer = world.later("stop")
    leaves = {leave.session: leave for leave in (host.expect(EventSent, n=1), host.expect(EventSent, n=1))}
    host.acks(leaves[other.session])
    assert op.is_closed().endswith("saved.\r\n")
    host.tells(seat, 1, "Op leaves.\n")
    host.acks(leaves[seat.session])
    goodbye = "The server is stopping. Your character is saved.\r\n"
    assert ada.is_closed() == f"Op leaves.\r\n{goodbye}"
    assert answer.result(20) == {"sessions": 2, "undrained": 0}


def test_stop_does_not_wait_for_clients_to_close_their_side(world: World, host: Host) -> None:
    """The goodbye is with the socket; a client that never answers holds nobody up."""
    player = world.player()
    assert world.asks("stop") == {"sessions": 0, "undrained": 0}
    assert "server is stopping" in player.is_closed()


def test_stop_does_not_wait_for_ever_for_a_dead_room(tmp_path: Path) -> None:
    """At most its time, and it says how many rooms did not answer."""
    with running(tmp_path, limits=Limits(goodbye_s=0.05)) as world:
        host = world.host()
        player, _ = world.enters(host)
        assert world.asks("stop") == {"sessions": 1, "undrained": 1}
        assert player.is_closed().count("The server is stopping. Your character is saved.\r\n") == 1
