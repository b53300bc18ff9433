"""The web wire: HTTP answers, the handshake, frames and their bounds, and the end of a connection."""

import os
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.gateway.web.request import HEAD_BYTES_MAX
from perdure.gateway.web.wire import CONTROLS_MAX, FRAGMENTS_MAX, MESSAGE_BYTES_MAX, SUBPROTOCOLS
from perdure.gateway.wire import Bye, ClientEvent, Ended, Line, Opened, Stopping
from perdure.room.record import Text
from tests.gateway.web.pair import Pair, answer, held, parsed, wire

UPGRADE = (
    "GET /play HTTP/1.1\nHost: localhost:8080\nUpgrade: websocket\nConnection: Upgrade\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\nSec-WebSocket-Version: 13\n"
)
HELLO = '{"type":"hello","columns":80,"rows":24}'


def frame(payload: bytes, opcode: int = 1, *, fin: bool = True, masked: bool = True) -> bytes:
    """A frame as a client sends it, masked with zeros."""
    head = bytes([(0x80 if fin else 0) | opcode])
    length, mask = len(payload), 0x80 if masked else 0
    if length < 126:
        head += bytes([mask | length])
    else:
        head += bytes([mask | 126]) + struct.pack("!H", length)
    return head + (bytes(4) if masked else b"") + payload


def handshake(subprotocol: str = "perdure") -> bytes:
    return f"{UPGRADE}Sec-WebSocket-Protocol: {subprotocol}\n\n".replace("\n", "\r\n").encode()


def greeted() -> Pair:
    """A client of perdure that has said hello."""
    pair = Pair("perdure")
    pair.says(HELLO)
    pair.gets()
    return pair


# --- the request ---


def test_a_page_is_served_and_that_is_all() -> None:
    """GET answers with the file and ends the connection; nobody is greeted for it."""
    status, headers, body = answer(wire(), "GET / HTTP/1.1\nHost: localhost:8080\n\n")
    assert (status, body) == (200, b"<p>hi")
    assert headers["connection"] == "close"


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("GET /nothing HTTP/1.1\nHost: localhost\n\n", 404),
        ("GET /../secret HTTP/1.1\nHost: localhost\n\n", 404),
        ("GET /%2e%2e/secret HTTP/1.1\nHost: localhost\n\n", 404),
        ("POST / HTTP/1.1\nHost: localhost\nContent-Length: 3\n\nabc", 405),
        ("DELETE /play HTTP/1.1\nHost: localhost\n\n", 405),
        ("GET / HTTP/1.1\nHost: localhost\nContent-Length: 3\n\nabc", 400),
        ("GET / HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\n\n", 400),
        ("GET / HTTP/1.1\n\n", 400),
        ("GET / HTTP/1.1\nHost: a\nHost: b\n\n", 400),
        *(
            (f"GET / HTTP/1.1\nHost: {host}\n\n", 400)
            for host in ("", "a b", "h/x", "u@h", "h:", "h:x", "..", "x" * 300)
        ),
        ("GET / HTTP/1.1\nHost: localhost\nno colon\n\n", 400),
        ("GET / HTTP/2.0\nHost: localhost\n\n", 400),
        ("hello there\n", 400),
        ("connect Ada hunter22\n", 400),
        ("\x16\x03\x01\x02\x00", 400),
        ("\xff\xfd\x1f", 400),
        ("GET /play HTTP/1.1\nHost: localhost\n\n", 426),
        (f"GET /{'x' * HEAD_BYTES_MAX}", 431),
        (f"GET / HTTP/1.1\nHost: localhost\nCookie: {'x' * HEAD_BYTES_MAX}\n\n", 431),
    ],
)
def test_every_other_request_is_refused_in_a_sentence(request_text: str, status: int) -> None:
    """What is no request for a file of the page gets a short answer, as soon as that is clear."""
    served = wire()
    got, headers, body = answer(served, request_text)
    assert got == status
    assert headers["content-type"] == "text/plain; charset=utf-8"
    assert headers["x-content-type-options"] == "nosniff"
    assert 10 < len(body) < 400
    assert b"." in body
    assert served.receive(b"more") == []
    assert served.data_to_send() == b""


@pytest.mark.parametrize("asked", ["/", "/nothing", "http://[bad"])
@pytest.mark.parametrize("host", ["localhost", "evil.example", "a b"])
def test_head_is_answered_like_get_but_for_the_body(asked: str, host: str) -> None:
    """Refusals, too: whoever keeps the connection would take a body for the next answer (RFC 9110, section 9.3.2)."""
    request = f"{{}} {asked} HTTP/1.1\nHost: {host}\n\n"
    status, headers, body = answer(wire(), request.format("GET"))
    assert answer(wire(), request.format("HEAD")) == (status, headers, b"")
    assert headers["content-length"] == str(len(body))


def test_a_request_without_an_end_is_cut_off() -> None:
    """The head is bounded, however slowly it comes (FM-81)."""
    served = wire()
    events = [event for _ in range(HEAD_BYTES_MAX + 8) for event in served.receive(b"G")]
    assert events == [Ended("")]
    assert parsed(served.data_to_send())[0] == 431


# --- the handshake ---


@pytest.mark.parametrize("subprotocol", SUBPROTOCOLS)
def test_each_of_the_four_subprotocols_is_spoken(subprotocol: str) -> None:
    """The answer names the one that was chosen, and no extension: nothing is compressed."""
    pair = Pair(subprotocol)
    assert pair.is_open
    assert pair.client.subprotocol == subprotocol
    assert pair.response is not None
    assert "Sec-WebSocket-Extensions" not in pair.response.headers
    assert pair.wire.acknowledges is (subprotocol == "perdure")


def test_the_first_of_the_clients_list_is_chosen_but_for_perdure() -> None:
    """The client's order counts, except that whoever speaks perdure gets it."""
    assert Pair("x.example", "json.mudstandards.org", "gmcp.mudstandards.org").client.subprotocol == (
        "json.mudstandards.org"
    )
    assert Pair("terminal.mudstandards.org", "perdure").client.subprotocol == "perdure"


def test_a_client_without_a_subprotocol_of_ours_is_told_which_there_are() -> None:
    """Without one, neither side would know what the other sends."""
    for offered in ((), ("telnet.mudstandards.org",)):
        pair = Pair(*offered)
        assert pair.response is not None
        assert pair.response.status_code == 400
        assert all(name in pair.response.body.decode() for name in SUBPROTOCOLS)
        assert not pair.wire.acknowledges
        assert pair.events == [Ended("")]


def test_compression_is_not_agreed_upon() -> None:
    """A client that offers permessage-deflate goes on without it: there is no window to inflate (FM-4, FM-79)."""
    pair = Pair("perdure", headers=(("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),))
    assert pair.is_open
    assert pair.client.extensions == []


def test_what_is_sent_behind_the_handshake_is_read_after_it() -> None:
    """A client that does not wait for the answer is understood, and its ping is answered behind the answer."""
    served = wire()
    sent = handshake() + frame(b"", 9) + frame(HELLO.encode()) + frame(b'{"type":"line","n":1,"text":"look"}')
    assert served.receive(sent) == [Opened(), Line("look", 1)]
    assert served.data_to_send().startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 101),
        ("http://localhost:8080", 101),
        ("https://localhost:8080", 101),
        ("http://LOCALHOST:8080", 101),
        ("https://play.example.org", 101),
        ("null", 403),
        ("", 403),
        ("http://localhost", 403),
        ("http://localhost:8081", 403),
        ("http://localhost:80800", 403),
        ("http://sub.localhost:8080", 403),
        ("http://evillocalhost:8080", 403),
        ("http://localhost.evil.example:8080", 403),
        ("http://localhost:8080@evil.example", 403),
        ("http://evil.example/localhost:8080", 403),
        ("http://evil.example#localhost:8080", 403),
        ("http://play.example.org", 403),
        ("https://play.example.org.evil.example", 403),
        ("file://localhost:8080", 403),
        ("chrome-extension://localhost:8080", 403),
    ],
)
def test_only_our_own_page_and_the_configured_ones_may_play(origin: str | None, status: int) -> None:
    """Another site's page cannot open a WebSocket in its visitors' names; without Origin it is no browser (FM-79)."""
    pair = Pair("perdure", origin=origin, served=wire(origins=("https://Play.Example.org",)))
    assert pair.response is not None
    assert pair.response.status_code == status
    assert pair.is_open is (status == 101)


def test_the_default_port_may_be_written_or_not() -> None:
    """`http://h` and the host `h:80` are one place, and so are `https://h` and `h:443`; no others (FM-79)."""
    for host, origin, status in [
        ("localhost", "http://localhost", 101),
        ("localhost:80", "http://localhost", 101),
        ("localhost:443", "https://localhost", 101),
        ("localhost", "https://localhost:443", 101),
        ("localhost:443", "http://localhost", 403),
        ("localhost:80", "https://localhost", 403),
    ]:
        served = wire()
        request = UPGRADE.replace("localhost:8080", host) + f"Origin: {origin}\nSec-WebSocket-Protocol: perdure\n\n"
        served.receive(request.replace("\n", "\r\n").encode())
        assert parsed(served.data_to_send())[0] == status, (host, origin)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 101),
        ("localhost.:8080", 101),
        ("game.localhost:8080", 101),
        ("127.0.0.1:8080", 101),
        ("192.0.2.1", 101),
        ("[::1]:8080", 101),
        ("[2001:db8::1]", 101),
        ("play.example.org", 101),
        ("PLAY.example.org.:8080", 101),
        ("evil.example:8080", 403),
        ("localhost.evil.example", 403),
        ("play.example.org.evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("evillocalhost", 403),
        ("2130706433", 403),
    ],
)
@pytest.mark.parametrize("page", [True, False])
def test_a_name_is_ours_only_if_it_is_configured(host: str, status: int, page: bool) -> None:
    """Anybody's name can point at this machine: their page is of our host then, and no other site's (FM-79)."""
    served = wire(origins=("https://Play.Example.org",))
    origin = f"Origin: http://{host}\n" if page else ""
    request = UPGRADE.replace("localhost:8080", host) + f"{origin}Sec-WebSocket-Protocol: perdure\n\n"
    served.receive(request.replace("\n", "\r\n").encode())
    assert parsed(served.data_to_send())[0] == status


@pytest.mark.parametrize(
    ("headers", "trusted", "origin"),
    [
        ("Host: mud.example:8080\n", False, "http://mud.example:8080"),
        ("Host: mud.example\nX-Forwarded-Proto: https\n", True, "https://mud.example"),
        ("Host: 127.0.0.1\nX-Forwarded-Host: mud.example\nX-Forwarded-Proto: https\n", True, "https://mud.example"),
    ],
)
def test_whoever_asks_for_an_unknown_name_reads_what_to_configure(headers: str, trusted: bool, origin: str) -> None:
    """It is the page itself that says so, for no browser shows why a WebSocket was refused."""
    request = f"GET / HTTP/1.1\n{headers}\n"
    status, _, body = answer(wire(trusted=trusted), request)
    assert status == 403
    assert f'\n[web]\norigins = ["{origin}"]\n' in body.decode()
    assert answer(wire(trusted=trusted, origins=(origin,)), request)[0] == 200


def test_two_origins_are_none_of_ours() -> None:
    """A request with two Origin headers is nobody's (FM-79)."""
    served = wire()
    twice = f"{UPGRADE}Origin: http://localhost:8080\nOrigin: http://evil.example\n\n"
    assert answer(served, twice)[0] == 403


# --- proxies ---


def opened_by(headers: tuple[tuple[str, str], ...], *, trusted: bool) -> str:
    """The address that the wire takes for the client's."""
    served = wire(trusted=trusted, proxies=("10.0.0.0/8",))
    pair = Pair("terminal.mudstandards.org", headers=headers, served=served)
    [opened] = pair.events
    assert isinstance(opened, Opened)
    return opened.forwarded


def test_a_trusted_proxy_names_the_client() -> None:
    """The rightmost address that is no proxy's counts: the client can write what it likes further left (FM-82)."""
    for value, found in [
        ("192.0.2.7", "192.0.2.7"),
        ("203.0.113.9, 192.0.2.7", "192.0.2.7"),
        ("203.0.113.9, 192.0.2.7, 10.1.2.3", "192.0.2.7"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("192.0.2.7, unknown", ""),
        ("", ""),
    ]:
        assert opened_by((("X-Forwarded-For", value),), trusted=True) == found, value
    both = (("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-For", "192.0.2.7"))
    assert opened_by(both, trusted=True) == "192.0.2.7"
    assert opened_by((), trusted=True) == ""


def test_nobody_else_can_say_where_they_come_from() -> None:
    """The header of a client that connects by itself is not looked at (FM-82)."""
    assert opened_by((("X-Forwarded-For", "192.0.2.7"),), trusted=False) == ""


def test_a_trusted_proxys_host_and_scheme_are_what_the_browser_saw() -> None:
    """Behind a proxy that changes the Host the page still plays; a scheme that the proxy denies does not (FM-79)."""
    behind = (("X-Forwarded-Host", "192.0.2.1"), ("X-Forwarded-Proto", "https"))
    for origin, trusted, fine in [
        ("https://192.0.2.1", True, True),
        ("http://192.0.2.1", True, False),
        ("https://192.0.2.1", False, False),
        ("http://localhost:8080", True, False),
    ]:
        pair = Pair("perdure", origin=origin, headers=behind, served=wire(trusted=trusted))
        assert pair.is_open is fine, (origin, trusted)


# --- frames ---


def test_fragments_make_one_message() -> None:
    """A message in fragments, with a ping between them, is the message."""
    pair = greeted()
    pair.client.send_text(b'{"type":"line","n"', fin=False)
    pair.client.send_ping(b"still here")
    pair.client.send_continuation(b':1,"text":"lo', fin=False)
    assert pair.pump() == []
    pair.client.send_continuation(b'ok"}', fin=True)
    assert pair.pump() == [Line("look", 1)]
    assert pair.is_open


def test_a_half_read_frame_survives_whatever_comes_between() -> None:
    """The wire keeps what it has of a frame and of a message: only bytes of its client go on with them (FM-4)."""
    pair = greeted()
    served = pair.wire
    line = frame(b'{"type":"line","n":1,', fin=False) + frame('"text":"grüß"}'.encode(), 0)
    for byte in line[:-1]:
        assert served.receive(bytes([byte])) == []
        served.show(held(1, Text("The fire crackles.\n")))
        served.keepalive()
        assert served.data_to_send()
    assert served.receive(line[-1:]) == [Line("grüß", 1)]


def broken(data: bytes, subprotocol: str = "perdure") -> tuple[int, str, str]:
    """(close code, its reason, reason of the end) for a greeted client that sends this."""
    pair = Pair(subprotocol)
    if subprotocol == "perdure":
        pair.says(HELLO)
    events = pair.wire.receive(data)
    assert isinstance(events[-1], Ended)
    pair.pump()
    assert pair.closed is not None
    assert pair.wire.receive(b"anything") == []
    pair.wire.show(held(9, Text("never\n")))
    pair.wire.close()
    assert pair.wire.data_to_send() == b""
    return *pair.closed, events[-1].reason


def test_each_broken_bound_has_its_close_code_and_a_reason() -> None:
    """The client is told why in the close frame, and whoever keeps the session hears it, too (FM-79)."""
    big = frame(b"x" * (MESSAGE_BYTES_MAX + 1))
    pieces = frame(b"x" * MESSAGE_BYTES_MAX, fin=False) + frame(b"x", 0)
    tiny = frame(b"", fin=False) + frame(b"", 0, fin=False) * FRAGMENTS_MAX
    for data, code in [
        (big, 1009),
        (pieces, 1009),
        (tiny, 1008),
        (frame(b"", 9) * (CONTROLS_MAX + 1), 1008),
        (frame(b"", 10) * (CONTROLS_MAX + 1), 1008),
        (frame(HELLO.encode(), masked=False), 1002),
        (frame(b"", 3), 1002),
        (frame(b"x", 0), 1002),
        (frame(b"x", fin=False) + frame(b"x"), 1002),
        (frame(b"x" * 126, 9), 1002),
        (frame(b"x", 9, fin=False), 1002),
        (bytes([0xC1, 0x80]) + bytes(4), 1002),
        (frame(b"\xff"), 1007),
        (frame(b"\xe2\x82"), 1007),
        (frame(b"x", 2), 1003),
    ]:
        got, told, reason = broken(data)
        assert got == code, data[:40]
        assert told
        assert reason


def test_a_character_may_be_cut_by_fragments() -> None:
    """UTF-8 counts at the end of the message, not of each fragment."""
    pair = Pair("terminal.mudstandards.org")
    euro = "€".encode()
    assert pair.wire.receive(frame(euro[:1], 1, fin=False) + frame(euro[1:], 0)) == [Line("€")]


def test_an_idle_client_may_ping_for_ever() -> None:
    """Pings are bounded between two keepalives, and an honest client sends one in 20 s."""
    pair = greeted()
    for _ in range(5):
        assert pair.wire.receive(frame(b"", 9) * (CONTROLS_MAX - 1)) == []
        pair.wire.keepalive()
    pair.wire.data_to_send()


# --- the end ---


def test_the_client_may_close_in_order() -> None:
    """Its close frame is answered with the same code, and the end has no reason to give."""
    pair = greeted()
    pair.client.send_close(1001)
    assert pair.pump() == [Ended("")]
    assert pair.closed == (1001, "")


def test_a_goodbye_keeps_the_page_from_connecting_again() -> None:
    """Code 4001 after a Bye, 1012 when the server stops, else 1001: after these the page connects again by itself."""
    pair = greeted()
    pair.wire.note(Bye("You play from elsewhere now. " + "ä" * 200))
    pair.wire.close()
    assert pair.gets()[-1]["type"] == "bye"
    assert pair.closed is not None
    code, reason = pair.closed
    assert (code, reason[:8]) == (4001, "You play")
    pair = greeted()
    pair.wire.note(Stopping())
    pair.wire.close()
    assert pair.gets() == []
    assert pair.closed == (1012, "The server is stopping.")
    pair = greeted()
    pair.wire.close()
    pair.pump()
    assert pair.closed is not None
    assert pair.closed[0] == 1001


def test_both_sides_may_close_at_once() -> None:
    """A close frame and lines that were on their way when ours went out change nothing (FM-79)."""
    pair = greeted()
    pair.client.send_text(b'{"type":"line","n":1,"text":"look"}')
    pair.client.send_close(1000)
    pair.wire.close()
    assert pair.pump() == []
    assert pair.closed is not None
    assert pair.closed[0] == 1001


def test_what_was_shown_goes_out_before_the_close_frame() -> None:
    """The last words reach the client."""
    pair = greeted()
    pair.wire.show(held(1, Text("Goodbye.\n")))
    pair.wire.close()
    assert pair.gets() == [{"type": "text", "serial": 1, "parts": ["Goodbye.\n"]}]
    assert pair.closed is not None


def test_a_wire_that_is_not_open_yet_shows_and_closes_nothing() -> None:
    """The gateway may stop in the middle of a request."""
    served = wire()
    served.receive(b"GET /pl")
    served.show(held(1, Text("hello\n")))
    served.note(Bye("stopping"))
    served.hide_input(True)
    served.end_burst()
    served.keepalive()
    served.close()
    assert served.receive(b"ay HTTP/1.1\r\n\r\n") == []
    assert served.data_to_send() == b""


def test_nothing_that_was_typed_is_ever_logged(caplog: pytest.LogCaptureFixture) -> None:
    """With debugging on for everything, a password in a frame is in no log (FM-96)."""
    with caplog.at_level("DEBUG"):
        pair = greeted()
        pair.wire.receive(frame(b'{"type":"line","n":1,"text":"connect Ada hunter22"}'))
        pair.wire.receive(frame(b"hunter22", 3))
    from_the_wire = [record for record in caplog.records if record.name != "websockets.client"]
    assert "hunter22" not in "".join(record.getMessage() for record in from_the_wire)


# --- any bytes at all ---

PIECES = st.one_of(
    st.binary(max_size=64),
    st.builds(
        frame,
        st.one_of(
            st.binary(max_size=200),
            st.sampled_from(
                [
                    HELLO.encode(),
                    b'{"type":"line","n":1,"text":"look"}',
                    b'{"type":"ack","serial":1}',
                    b'{"type":"settings"}',
                    b'{"type":"resize","columns":1e9,"rows":-1}',
                    b"[" * 9000,
                    b'Core.Hello {"client":"x","version":"1"}',
                    b'Core.Supports.Set ["Char 1","Room 1"]',
                    b"Core.Ping",
                    b'{"proto":"gmcp","id":"Core.Ping","data":""}',
                    b"look\r\n\r\nnorth",
                    b"x" * 16000,
                    "ü€".encode()[:-1],
                ]
            ),
        ),
        st.sampled_from([0, 1, 1, 1, 2, 2, 8, 9, 10, 11]),
        fin=st.booleans(),
        masked=st.sampled_from([True] * 9 + [False]),
    ),
)


@settings(max_examples=int(os.environ.get("PERDURE_EXAMPLES", "150")), deadline=None)
@given(
    st.sampled_from([*SUBPROTOCOLS, "none of ours"]),
    st.lists(PIECES, max_size=30),
    st.binary(max_size=40),
    st.lists(st.integers(1, 5000), min_size=1, max_size=6),
)
def test_any_bytes_cut_anywhere_mean_the_same_and_never_raise(
    subprotocol: str, pieces: list[bytes], before: bytes, cuts: list[int]
) -> None:
    """Whatever comes, in one piece, in some, or byte by byte: the same events, and bounded memory (FM-4, FM-79)."""
    for begin in (handshake(subprotocol), before):
        data = begin + b"".join(pieces)
        whole, in_parts, in_bytes = wire(), wire(), wire()
        expected = whole.receive(data)
        events: list[ClientEvent] = []
        at = index = 0
        while at < len(data):
            size = cuts[index % len(cuts)]
            events += in_parts.receive(data[at : at + size])
            in_parts.show(held(index + 1, Text("Something happens.\n")))
            in_parts.end_burst()
            in_parts.data_to_send()
            at, index = at + size, index + 1
        assert spelled(events) == spelled(expected)
        if len(data) < 4000:
            assert spelled([event for byte in data for event in in_bytes.receive(bytes([byte]))]) == spelled(expected)
        for served in (whole, in_parts, in_bytes):
            kept = len(served._head) + sum(map(len, served._fragments)) + len(served._socket.reader.buffer)
            assert kept <= MESSAGE_BYTES_MAX * 2 + HEAD_BYTES_MAX
            served.close()
            served.data_to_send()


def spelled(events: list[ClientEvent]) -> list[str]:
    """Events by what they say; a Secret says nothing, and is not equal to another one."""
    return [repr(event) for event in events]
