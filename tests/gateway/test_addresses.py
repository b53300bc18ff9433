"""What a gateway grants to an address: behind proxies, in floods of lines and guesses, and to those who dawdle."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from perdure.gateway.door import NOT_TRUSTED
from perdure.gateway.limits import Limits
from perdure.gateway.web.site import Site
from perdure.link.messages import EventSent
from perdure.room.record import Input
from tests.gateway.web.client import HttpClient, WebClient, WebSocket
from tests.gateway.world import PATIENCE_S, World, running

PROXIED = b"PROXY TCP4 192.0.2.7 192.0.2.1 50000 4000\r\n"
TERMINAL = "terminal.mudstandards.org"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with running(tmp_path) as it:
        yield it


def addresses(world: World) -> list[str]:
    return [session["address"] for session in world.asks("sessions")]


def through_proxy(world: World, forwarded: str) -> WebSocket:
    """A browser behind a proxy that says so."""
    return WebSocket(world.web_address, TERMINAL, headers={"X-Forwarded-For": forwarded})


def is_closed(web: WebSocket) -> str:
    """Wait for the end; what was said before it."""
    said = b""
    while (message := web.receives()) is not None:
        assert isinstance(message, bytes)
        said += message
    web.sock.close()
    return said.decode()


def test_a_telnet_player_behind_a_proxy_is_known_by_their_own_address(tmp_path: Path) -> None:
    """From the greeting on; nothing of the header is taken for a line."""
    with running(tmp_path, limits=Limits(proxies=("127.0.0.1",))) as world:
        host = world.host()
        player = world.stranger()
        player.sends(PROXIED + b"guest\r\n")
        host.joined()
        assert addresses(world) == ["192.0.2.7"]


def test_a_web_player_behind_a_proxy_is_known_by_their_own_address(tmp_path: Path) -> None:
    """What they claim themselves stands further to the left, and is not believed."""
    with running(tmp_path, limits=Limits(proxies=("127.0.0.1",))) as world:
        web = through_proxy(world, "203.0.113.9, 2001:db8::7")
        world.wait_until(lambda: addresses(world) == ["2001:db8::/64"], "the page has a session")
        web.closes()


def test_a_web_player_who_is_no_proxy_speaks_for_nobody(tmp_path: Path) -> None:
    """Anybody may send such a header."""
    with running(tmp_path) as world:
        web = through_proxy(world, "203.0.113.9")
        world.wait_until(lambda: addresses(world) == ["127.0.0.1"], "the page has a session")
        assert world.gateway._door._warned == {NOT_TRUSTED}  # this machine's own addresses are not limited
        web.closes()


def test_a_proxy_that_is_not_trusted_is_refused_and_found_in_the_log(world: World) -> None:
    """Of either version; whoever set it up and forgot to name it finds out why nobody can play."""
    for header in (PROXIED, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\7\xc0\0\2\1\xc3\x50\x0f\xa0"):
        with structlog.testing.capture_logs() as logs:
            player = world.stranger()
            player.sends(header)
            player.sees("Its owner can name it in [server] proxies.")
            world.wait_until(lambda: addresses(world) == [], "it is closed")
        (refused,) = [line for line in logs if line["event"] == "connection refused"]
        assert "[server] proxies" in refused["reason"]


def test_a_page_behind_a_proxy_that_is_refused_is_logged_with_its_own_address(tmp_path: Path) -> None:
    """The connection is the proxy's, which says nothing about who tries."""
    with (
        running(tmp_path, limits=Limits(proxies=("127.0.0.1",))) as world,
        structlog.testing.capture_logs() as logs,
    ):
        headers = {"X-Forwarded-For": "192.0.2.7"}
        refused = WebSocket(world.web_address, TERMINAL, origin="http://evil.example", headers=headers)
        refused.sock.close()
        assert refused.response is not None
        assert refused.response.status_code == 403
        assert logs[-1]["reason"] == "http://evil.example is none of [web] origins (asked by 192.0.2.7)"


def test_pages_behind_a_proxy_count_under_their_own_addresses(tmp_path: Path) -> None:
    """One address has its share, another one has its own, and a place becomes free again (FM-82)."""
    with running(tmp_path, limits=Limits(proxies=("127.0.0.1",), per_address_max=1)) as world:
        first = through_proxy(world, "192.0.2.7")
        world.wait_until(lambda: addresses(world) == ["192.0.2.7"], "the first is in")
        assert "is 1 connection from your address" in is_closed(through_proxy(world, "192.0.2.7"))
        other = through_proxy(world, "192.0.2.8")
        world.wait_until(lambda: addresses(world) == ["192.0.2.7", "192.0.2.8"], "the other is in")
        first.closes()
        world.wait_until(lambda: addresses(world) == ["192.0.2.8"], "the first is out")
        again = through_proxy(world, "192.0.2.7")
        world.wait_until(lambda: addresses(world) == ["192.0.2.8", "192.0.2.7"], "the next is in")
        other.closes()
        again.closes()


def test_a_page_and_its_files_take_one_place(tmp_path: Path) -> None:
    """All its files are served, whoever plays; who is too many to play is told so on the page (FM-82)."""
    with running(tmp_path, limits=Limits(per_address_max=1, loopback=True)) as world:
        page = WebClient(world.web_address)
        page.waits_for("prompt")
        for path in Site.read().files:
            assert HttpClient(world.web_address, f"GET {path} HTTP/1.1\nHost: localhost\n\n").status == 200
        other = WebClient(world.web_address)
        assert "is 1 connection from your address" in other.waits_for("bye")["reason"]
        assert other.is_closed() == 4001
        page.closes()
        world.wait_until(lambda: world.asks("status")["connections"] == 0, "both are out")
        again = WebClient(world.web_address)
        again.waits_for("prompt")
        again.closes()


@pytest.mark.parametrize(
    "sent", [b"", b"GET /play HTTP/1.1\r\nHost: 127", b"GET /play HTTP/1.1\r\n" + b"X: y\r\n" * 20]
)
def test_a_request_that_is_never_finished_does_not_keep_a_connection(tmp_path: Path, sent: bytes) -> None:
    """A header that drips is cut off by the deadline (FM-81)."""
    with (
        running(tmp_path, limits=Limits(request_s=0.05)) as world,
        socket.create_connection(world.web_address, timeout=PATIENCE_S) as web,
    ):
        web.sendall(sent)
        try:
            while web.recv(65536):
                pass
        except ConnectionResetError:
            pass
        world.wait_until(lambda: world.asks("status")["connections"] == 0, "it is gone")


def test_a_flood_of_lines_is_taken_slowly_and_wholly(tmp_path: Path) -> None:
    """All lines of an address come at its rate, in order; none is dropped (FM-82)."""
    with running(tmp_path, limits=Limits(lines_per_s=200, lines_burst=5, loopback=True)) as world:
        host = world.host()
        player, _ = world.enters(host)
        player.types(*(f"line {n}" for n in range(1, 61)))
        for n in range(1, 61):
            event = host.expect(EventSent, n=n)
            assert event.body == Input(f"line {n}")
            host.acks(event)


def test_failed_logins_of_an_address_make_all_its_logins_wait(tmp_path: Path) -> None:
    """Whatever names they try; this machine's own addresses are exempt unless perdure.toml says otherwise (FM-82)."""
    for loopback in (True, False):
        folder = tmp_path / str(loopback)
        folder.mkdir()
        with running(folder, limits=Limits(logins_free=2, loopback=loopback)) as world:
            for name in ("Ada", "Bob", "Cy"):
                world.account(name)
            player = world.player()
            for name in ("ada", "bob"):
                player.types(f"connect {name} wrong")
                player.sees("Name: ")
            player.types("connect cy wrong")
            world.player().types("connect cy wrong")
            assert ("Too many failed tries" in player.sees("Name: ")) == loopback


# --- what is told of sessions, and to them ---


def test_a_session_is_reported_with_what_its_client_is(world: World) -> None:
    """Transport, window, encoding: what an operator asks when a player complains."""
    host = world.host()
    player, _ = world.enters(host)
    player.sends(b"\xff\xfb\x1f\xff\xfa\x1f\x00\x64\x00\x1e\xff\xf0")
    player.types("set encoding ascii", "set screenreader on")
    player.sees("creen")
    world.wait_until(lambda: world.asks("sessions")[0]["screenreader"], "both are set")
    (session,) = world.asks("sessions")
    assert (session["transport"], session["columns"], session["rows"]) == ("telnet", 100, 30)
    assert (session["encoding"], session["address"]) == ("ascii", "127.0.0.1")
    player.drops()
    world.wait_until(lambda: world.stages() == ["link-dead"], "the player is away")
    (session,) = world.asks("sessions")
    assert (session["transport"], session["columns"], session["encoding"]) == ("", 100, "ascii")


def test_a_countdown_is_not_read_out_to_who_listens(world: World) -> None:
    """They hear that it comes, and that it is over; every line in between would cut off what is being read."""
    host = world.host()
    listening, _ = world.enters(host, "Ada")
    reading, _ = world.enters(host, "Bob")
    listening.types("set screenreader on")
    world.wait_until(lambda: world.asks("sessions")[0]["screenreader"], "Ada listens")
    for seconds in (60, 30, 10):
        told = world.asks("announce", text=f"In {seconds} s.", rooms=None, countdown=seconds < 60)
        assert told == {"told": 1 if seconds < 60 else 2}
    assert world.asks("announce", text="Done.", rooms=None, countdown=False) == {"told": 2}
    assert "In 10 s." in reading.sees("Done.")
    heard = listening.sees("Done.")
    assert "In 60 s." in heard
    assert "In 30 s." not in heard
    assert "In 10 s." not in heard


def test_a_countdown_is_true_or_false(world: World) -> None:
    """Anything else is refused in words."""
    with pytest.raises(Exception, match="countdown: true or false"):
        world.asks("announce", text="x", rooms=None, countdown=3)
