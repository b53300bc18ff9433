"""Web pages at a running gateway: pages over HTTP, play over a WebSocket, and going on after a loss of network."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from perdure.gateway import client
from perdure.gateway.web.site import Site
from perdure.link.messages import EventSent
from perdure.room.record import Input, Join, Leave, Text
from tests.gateway.web.client import HttpClient
from tests.gateway.web.world import Web
from tests.gateway.world import Host, running


def lines_of(host: Host) -> list[str]:
    """What was typed, of the events that the host has not looked at yet."""
    heard = host.hears_nothing_more()
    return [event.body.line for event in heard if isinstance(event, EventSent) and isinstance(event.body, Input)]


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setattr(client, "KEEPALIVE_S", 0.05)  # a page that is reset behind its last words is missed after it
    with running(tmp_path) as world:
        web = Web(world)
        yield web
        web.finish()


def test_every_file_of_the_page_is_served(web: Web) -> None:
    """Each over its own connection, byte for byte, and nobody is a session for it."""
    for path, file in Site.read().files.items():
        answer = HttpClient(web.address, f"GET {path} HTTP/1.1\nHost: localhost\n\n")
        assert (answer.status, answer.body) == (200, file.body), path
    assert HttpClient(web.address, "GET /etc/passwd HTTP/1.1\nHost: localhost\n\n").status == 404
    assert HttpClient(web.address, "hello\n").status == 400
    assert web.world.stages() == []


def test_a_page_logs_in_and_plays(web: Web) -> None:
    """Lines go in with their numbers and are taken; texts come out with their serials, and are acknowledged."""
    page, joined = web.plays()
    assert isinstance(joined.body, Join)
    assert (joined.body.columns, joined.body.rows, joined.body.screenreader) == (80, 24, False)
    assert (page.name, len(page.token), page.server) == ("Ada", 32, "Test")
    web.host.tells(joined, 1, "Welcome to the tavern.\n")
    page.sees("Welcome to the tavern.\n")
    page.types("look", "north")
    for line in ("look", "north"):
        event = web.host.expect(EventSent)
        assert event.body == Input(line)
        web.host.acks(event)
    page.waits_until_taken(3)
    assert page.doubled == 0
    page.closes()


def test_a_page_goes_on_after_a_loss_of_network_and_nothing_is_lost_or_doubled(web: Web) -> None:
    """The same session: what came meanwhile is shown once, and what was typed last is taken once (FM-13, FM-92)."""
    page, joined = web.plays()
    web.host.tells(joined, 1, "One.\n")
    page.sees("One.\n")
    page.drops()
    web.world.wait_until(lambda: web.world.stages() == ["link-dead"], "the loss is noticed")
    web.host.tells(joined, 2, "Two.\n")
    web.host.tells(joined, 3, "Three.\n")
    page.n += 1
    page._pending[page.n] = "look"  # typed while there was no network
    token = page.token
    page.connects()
    assert page.missed == 2
    assert page.sees("Three.\n") == "Two.\nThree.\n"
    assert web.host.expect(EventSent, n=1).body == Input("look")
    assert web.world.stages() == ["playing"]
    assert page.token != token
    assert page.doubled == 0
    assert lines_of(web.host) == []


def test_a_connection_that_is_reset_behind_its_last_words_is_noticed(web: Web) -> None:
    """Both may arrive at once, and the event loop may tell of them once (FM-92)."""
    page, _joined = web.plays()
    for _ in range(20):
        page.sends("line", n=page.n + 1, text="look")
        page.drops()
        web.world.wait_until(lambda: web.world.stages() == ["link-dead"], "the loss is noticed")
        page.n = 0
        page.connects()
        page.n = page.taken


def test_a_line_whose_took_was_lost_is_not_taken_twice(web: Web) -> None:
    """The page sends it again; the gateway knows its number (FM-13)."""
    page, _joined = web.plays()
    page.types("buy sword")
    web.host.acks(web.host.expect(EventSent, n=1))
    page.drops()  # before the page has read that it was taken
    page.connects()
    page.types("look")
    assert web.host.expect(EventSent, n=2).body == Input("look")
    assert lines_of(web.host) == []


def test_lines_are_taken_in_order_and_what_is_taken_never_falls(web: Web) -> None:
    """A line before its turn is refused by its number, and taken in its turn; one that came before is taken (FM-13)."""
    page, _joined = web.plays()
    for n in (2, 5, 2, 1, 4, 3, 4, 4, 5):
        page.sends("line", n=n, text=f"line {n}")
    page.waits_until_taken(5)
    answers = [(m["type"], m["n"], m.get("due")) for m in page.messages if m["type"] in ("took", "problem")]
    assert answers[1:] == [
        ("took", 2, None), ("problem", 5, 3), ("took", 2, None), ("took", 2, None), ("problem", 4, 3),
        ("took", 3, None), ("took", 4, None), ("took", 4, None), ("took", 5, None),
    ]  # fmt: skip
    for n in (2, 3, 4, 5):
        assert web.host.expect(EventSent).body == Input(f"line {n}")


def test_a_line_that_is_too_long_has_had_its_turn(web: Web) -> None:
    """Its number is used: the next line follows, and after a loss, too (FM-13)."""
    page, _joined = web.plays()
    page.types("look", "x" * 5000, "north")
    page.waits_until_taken(4)
    assert [m["n"] for m in page.messages if m["type"] == "problem"] == [3]
    page.types("x" * 5000)
    page.drops()
    page.connects()
    page.types("south")
    page.waits_until_taken(6)
    for line in ("look", "north", "south"):
        assert web.host.expect(EventSent).body == Input(line)


def test_a_page_that_does_not_acknowledge_is_told_again(web: Web) -> None:
    """Only what the page says that it has counts as shown; the room's outbox holds the rest (FM-92)."""
    page, joined = web.plays()
    page.acks = False
    web.host.tells(joined, 1, "Nobody may have seen this.\n")
    page.sees("Nobody may have seen this.\n")
    page.drops()
    page.last -= 1  # it was never laid out
    page.connects()
    page.sees("Nobody may have seen this.\n")
    assert page.missed == 1


def test_a_page_that_is_loaded_anew_gets_its_last_lines_again(web: Web) -> None:
    """They are marked, so that nobody is read them aloud as news (FM-29)."""
    page, joined = web.plays()
    web.host.tells(joined, 1, Text("Old news.\n"))
    page.sees("Old news.\n")
    page.settles()
    page.reloads()
    page.sees("Old news.\n")
    [message] = [each for each in page.messages if "Old news.\n" in each.get("parts", ())]
    assert message["again"] is True
    assert page.missed == 0
    web.host.tells(joined, 2, "Fresh news.\n")
    page.sees("Fresh news.\n")
    [message] = [each for each in page.messages if "Fresh news.\n" in each.get("parts", ())]
    assert "again" not in message


def test_a_token_that_was_replaced_ends_the_session(web: Web) -> None:
    """Somebody has a copy of what the page has replaced: the session ends, and neither goes on (FM-13, FM-14)."""
    page, _joined = web.plays()
    stolen = page.token
    page.drops()
    page.connects()
    page.settles()
    assert page.token != stolen
    thief = web.socket("perdure")
    thief.sends(f'{{"type":"hello","token":"{stolen}","last":0}}')
    said = [thief.receives() for _ in range(3)]
    assert any("refused" in str(each) for each in said)
    leave = web.host.expect(EventSent, n=1)
    assert leave.body == Leave("token")
    web.host.acks(leave)
    page.waits_for("bye")
    assert page.is_closed() == 4001
    thief.closes()


def test_a_page_is_not_told_to_stay_away_when_the_server_stops(web: Web) -> None:
    """It may come back as soon as there is a server again; after `quit` it may not."""
    page, joined = web.plays()
    stranger = web.page()
    stranger.waits_for("prompt")
    answer = web.world.later("stop")
    leave = web.host.expect(EventSent, n=1)
    assert leave.body == Leave("stop")
    web.host.tells(joined, 1, "Op leaves.\n")
    web.host.acks(leave)
    assert answer.result(20) == {"sessions": 1, "undrained": 0}
    assert (page.is_closed(), stranger.is_closed()) == (1012, 1012)
    assert (page.bye, stranger.bye) == ("", "")
    assert page.text.endswith("Op leaves.\nThe server is stopping. Your character is saved.\n")
    assert page.socket.close_reason == "The server is stopping."
    assert joined.session not in web.world.gateway.sessions


@pytest.mark.parametrize("by_line", [True, False], ids=["set", "settings"])
def test_the_prompt_comes_back_for_whoever_wants_it_again(web: Web, by_line: bool) -> None:
    """The room says it only when it changes: what a page was not sent meanwhile is sent with the choice (FM-29)."""
    web.world.account("Ada")
    page = web.page(screenreader=True)
    page.logs_in("Ada", "secret1")
    web.host.tells(web.host.joined(), 1, Text("", prompt="<20 hp> "))
    assert page.waits_for("prompt")["text"] == ""
    for off, prompt in (("off", "<20 hp> "), ("on", "")):
        if by_line:
            page.types(f"set screenreader {off}")
            page.sees(f"screenreader is {off}")
        else:
            page.sends("settings", screenreader=off == "on")
            page.waits_for("settings")
        page.settles()
        assert (page.prompt, page.settings["prompt"]) == (prompt, off == "off")


def test_a_page_is_as_wide_as_it_says_wherever_its_player_wraps_elsewhere(web: Web) -> None:
    """It wraps by itself: what was chosen by telnet has no effect there (FM-7)."""
    row = web.world.account("Ada")
    web.world.accounts.set_settings(row.id, '{"wrap":40}')
    page = web.page(columns=100)
    page.logs_in("Ada", "secret1")
    joined = web.host.joined().body
    assert isinstance(joined, Join)
    assert joined.columns == 100


def test_a_choice_before_the_login_leaves_its_question_standing(web: Web) -> None:
    """A page asks for screen-reader mode at any time; the name is still asked for."""
    page = web.page()
    page.waits_for("prompt")
    page.sends("settings", screenreader=True)
    page.waits_for("settings")
    page.settles()
    assert page.prompt == "Name: "


def test_a_page_whose_player_quit_stays_away(web: Web) -> None:
    """It would otherwise log in again by itself."""
    page, _joined = web.plays()
    page.types("quit")
    web.host.acks(web.host.expect(EventSent, n=1))
    page.waits_for("bye")
    assert page.is_closed() == 4001


def test_a_token_of_nobody_is_refused_and_a_new_login_begins(web: Web) -> None:
    """Guessed, of another server, or of a session that is over: all alike (FM-13, FM-14)."""
    page = web.page(token="0" * 32, last=7)
    page.waits_for("refused")
    assert page.name == ""
    page.types("who")
    page.waits_for("took")


def test_the_tokens_of_a_page_are_nothing_after_somebody_logs_in_elsewhere(web: Web) -> None:
    """The older page is told to stay away, and its token leads nowhere: no tug of war, and no replay (FM-14)."""
    page, joined = web.plays()
    old = page.token
    second = web.page()
    second.types("connect Ada secret1")
    second.waits_for("token")
    page.waits_for("bye")
    assert page.is_closed() == 4001
    page.token, page.bye = old, ""
    page.connects()
    assert page.refused
    assert sorted(web.world.stages())[-1] == "playing"
    web.host.tells(joined, 1, "Still here.\n")
    second.sees("Still here.\n")


def test_a_half_read_frame_is_nothing_to_a_movement(web: Web) -> None:
    """The room goes to another host while a line is half sent; the rest of the frame completes it (FM-4)."""
    page, joined = web.plays()
    page.acks = False
    page.socket._protocol.send_text(b'{"type":"line","n":2,"text":"across the move"}')
    data = b"".join(page.socket._protocol.data_to_send())
    page.socket.sock.sendall(data[:17])
    successor = web.world.idle_host("host-2")
    successor.up(epoch=2, seats={joined.session: (joined.j, 0)})
    successor.tells(joined, 1, "The ground shakes.\n")
    page.sees("The ground shakes.\n")
    page.socket.sock.sendall(data[17:])
    assert successor.expect(EventSent, n=1).body == Input("across the move")
    assert page.socket.is_open


def test_a_terminal_of_mudstandards_plays(web: Web) -> None:
    """Another program's client, with text in binary messages."""
    web.world.account("Bob")
    client = web.socket("terminal.mudstandards.org")
    client.sends(b"connect Bob secret1\r\n")
    joined = web.host.joined()
    web.host.tells(joined, 1, "Welcome, Bob.\n")
    text = b""
    while b"Welcome, Bob.\r\n" not in text:
        message = client.receives()
        assert isinstance(message, bytes)
        text += message
    client.sends(b"look")
    assert web.host.expect(EventSent, n=1).body == Input("look")
    client.closes()


def test_pages_of_other_sites_cannot_play(web: Web) -> None:
    """The browser names them, and the gateway looks (FM-79)."""
    host, port = web.address
    assert web.socket("perdure", origin=f"http://{host}:{port}").is_open
    with structlog.testing.capture_logs() as logs:
        for origin in ("http://evil.example", "null", f"http://{host}:{port + 1}"):
            refused = web.socket("perdure", origin=origin)
            assert refused.response is not None
            assert refused.response.status_code == 403
            # No browser shows the answer: whoever has set up a proxy finds it in the log.
            assert logs[-1]["reason"] == f"{origin} is none of [web] origins"
