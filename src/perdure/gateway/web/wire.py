"""The web wire: an HTTP request is answered with a static file, or becomes a WebSocket at /play.

Bytes in, events and bytes out. The request's head is gathered here, so that nothing behind it is read before the
WebSocket is accepted; frames are the `websockets` library's. What the messages mean is their speech's: there are four
subprotocols, and a client that offers none of them is refused, because neither side would know what the other sends.

Bounds, each with its answer: the head of the request (431), a message's bytes (close code 1009), its fragments, control
frames without end (1008). Nothing is compressed: a window of deflate costs more memory for each player than all else.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from typing import Literal

from websockets.exceptions import NegotiationError
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from perdure.gateway.look import Settings, Told
from perdure.gateway.proxy import Proxies
from perdure.gateway.web import request as web_request
from perdure.gateway.web.mudstandards import MUDSTANDARDS, MudSpeech
from perdure.gateway.web.perdure import SUBPROTOCOL, PerdureSpeech
from perdure.gateway.web.site import Site, refusal
from perdure.gateway.web.speech import Broken, Speech
from perdure.gateway.wire import Bye, ClientEvent, Ended, Held, Line, Note, Stopping

PLAY = "/play"
SUBPROTOCOLS = (SUBPROTOCOL, *MUDSTANDARDS)
MESSAGE_BYTES_MAX = 16 * 1024
FRAGMENTS_MAX = 16
CONTROLS_MAX = 256
"""Pings and pongs between two messages of the client, or two keepalives of ours; honest clients send one in 20 s."""
REASON_BYTES_MAX = 123
"""A control frame has 125 bytes, two for the code (RFC 6455, section 5.5)."""
GOING_AWAY, STOPPING, OVER = 1001, 1012, 4001
"""Close codes of ours: connect again when you like; when there is a server again; or do not do so by yourself."""

NO_PROXIES = Proxies()

NO_HTTP = "This port speaks HTTP/1.1, and that was something else."
NO_METHOD = "There are only pages to GET here."
HEAD_TOO_LONG = f"The head of that request is longer than {web_request.HEAD_BYTES_MAX} bytes."
NO_HOST = "The request names no host, or one that cannot be."
UNKNOWN_HOST = (
    "Nothing is served under the name {host}, because the server does not know that it is its own. "
    'If it is, write in perdure.toml, and start the server again:\n\n[web]\norigins = ["{origin}"]'
)
FOREIGN = "This page may not play here: it comes from another site. The server's owner can add it to [web] origins."
ORIGIN_CHARS_MAX = 100
"""Of an Origin, so much is told."""
NO_SUBPROTOCOL = f"Offer one of these subprotocols: {', '.join(SUBPROTOCOLS)}."

# It would log what players type, passwords among it, if somebody turned debugging on (FM-96).
_silent = logging.getLogger(f"{__name__}.frames")
_silent.disabled = True


class WebWire:
    """One connection to the web port.

    Args:
        site: The files; shared by all.
        server: The server's name.
        origins: Where the server's page has a name, and other sites whose pages may play here, as in
            ``https://play.example.org``.
        trusted: Whether the connection comes from a trusted proxy, so that X-Forwarded-… is believed.
        proxies: The trusted proxies: a request may come through several.

    Attributes:
        trusted: As it was given.
        passed_on: Whether the request says for whom it is passed on, be it believed or not.
    """

    transport = "web"
    framed = True

    def __init__(
        self,
        site: Site,
        server: str,
        *,
        origins: Collection[str] = (),
        trusted: bool = False,
        proxies: Proxies = NO_PROXIES,
    ) -> None:
        self.acknowledges = False
        self.trusted, self.passed_on = trusted, False
        self._site, self._server, self._proxies = site, server, proxies
        self._origins = frozenset(origin.lower() for origin in origins)
        self._settings, self._playing = Settings(), False
        self._stage: Literal["request", "open", "over"] = "request"
        self._head = bytearray()
        self._is_head = False  # of the request, which asks for no body
        self._socket = ServerProtocol(
            select_subprotocol=_choose, max_size=MESSAGE_BYTES_MAX, extensions=None, logger=_silent
        )
        self._speech: Speech | None = None
        self._fragments: list[bytes] = []
        self._is_text = False
        self._controls = 0
        self._asides = 0
        self._bye = (GOING_AWAY, "The server closed this connection.")
        self._out = bytearray()

    @property
    def told(self) -> Told:
        """What the client has told of itself."""
        return self._speech.told if self._speech is not None else Told(web=True)

    @property
    def settled(self) -> bool:
        """True: it says hello with all there is."""
        return True

    @property
    def settings(self) -> Settings:
        """What its player chose."""
        return self._settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self._settings = settings
        if self._speech is not None:
            self._speech.set(settings)

    @property
    def playing(self) -> bool:
        """Whether a game's prompts are shown, rather than the login's."""
        return self._playing

    @playing.setter
    def playing(self, playing: bool) -> None:
        self._playing = playing
        if self._speech is not None:
            self._speech.playing = playing

    def begin(self) -> list[ClientEvent]:
        """The client speaks first."""
        return []

    def receive(self, data: bytes) -> list[ClientEvent]:
        """What `data` means, in order; nothing after `Ended`."""
        if self._stage == "request":
            events = self._request(data)
        elif self._stage == "open":
            events = self._frames(data)
        else:
            return []
        self._asides += not events
        return events

    def show(self, held: Held) -> None:
        """Show this."""
        if self._speech is not None:
            self._speech.show(held)

    def end_burst(self) -> None:
        """For now nothing more is shown."""
        if self._speech is not None:
            self._speech.end_burst()

    def note(self, note: Note) -> None:
        """Tell the client's program."""
        if isinstance(note, Bye):
            self._bye = OVER, note.reason
        elif isinstance(note, Stopping):
            self._bye = STOPPING, "The server is stopping."
        if self._speech is not None:
            self._speech.note(note)

    def expect_utf8(self) -> None:
        """It is spoken to in UTF-8 whatever it sends."""

    def hide_input(self, hidden: bool) -> None:
        """Ask the client to stop (or start again) showing what is typed."""
        if self._speech is not None:
            self._speech.hide_input(hidden)

    def rest(self) -> str:
        """Take what waits for its page."""
        return self._speech.rest() if self._speech is not None else ""

    def keepalive(self) -> None:
        """A ping, which every client answers by itself."""
        self._controls = 0
        if self._stage == "open":
            self._collect()
            self._socket.send_ping(b"")
            self._collect()

    def close(self) -> None:
        """Say goodbye: with code 4001 after a `Bye`, 1012 after `Stopping`, else with 1001."""
        if self._stage == "open":
            code, reason = self._bye
            self._collect()
            self._socket.send_close(code, _short(reason))
            self._collect()
        self._stage = "over"

    def asides(self) -> int:
        """Take how much came that was no line: frames, and reads in which nothing came to its end."""
        count, self._asides = self._asides, 0
        return count

    def data_to_send(self) -> bytes:
        """Take the bytes for the client."""
        self._collect()
        data = bytes(self._out)
        self._out.clear()
        return data

    # --- the request ---

    def _request(self, data: bytes) -> list[ClientEvent]:
        self._head += data
        method = web_request.method(self._head)
        if method is None:
            return self._answer(refusal(400, NO_HTTP))
        at = self._head.find(b"\r\n\r\n", max(0, len(self._head) - len(data) - 3))
        size = len(self._head) if at < 0 else at + 4
        if size > web_request.HEAD_BYTES_MAX:
            return self._answer(refusal(431, HEAD_TOO_LONG))
        if at < 0:
            return []
        if method not in ("GET", "HEAD"):
            return self._answer(refusal(405, NO_METHOD, {"Allow": "GET, HEAD"}))
        self._is_head = method == "HEAD"
        head, rest = bytes(self._head[:size]), bytes(self._head[size:])
        self._head.clear()
        self._socket.receive_data(head)
        match self._socket.events_received():
            case [Request() as request]:
                return self._asked(request, rest)
            case _:
                return self._answer(refusal(400, "That request is not well formed, or has a body."))

    def _asked(self, request: Request, rest: bytes) -> list[ClientEvent]:
        host = web_request.host(request, trusted=self.trusted)
        if host is None:
            return self._answer(refusal(400, NO_HOST))
        if not web_request.known(host, self._origins):
            origin = web_request.origin_of(request, host)
            return self._answer(refusal(403, UNKNOWN_HOST.format(host=host, origin=origin)))
        if request.path.partition("?")[0] != PLAY:
            return self._answer(self._site.answer(request))
        if not web_request.ours(request, host, self._origins, trusted=self.trusted):
            origin = request.headers.get_all("Origin")[0][:ORIGIN_CHARS_MAX]
            asked_by = f" (asked by {forwarded})" if (forwarded := self._forwarded(request)) else ""
            return self._answer(refusal(403, FOREIGN), f"{origin} is none of [web] origins{asked_by}")
        response = self._socket.accept(request)
        if response.status_code != 101:
            headers = {name: response.headers[name] for name in ("Allow", "Upgrade") if name in response.headers}
            why = (
                NO_SUBPROTOCOL
                if isinstance(self._socket.handshake_exc, NegotiationError)
                else _first_line(response.body)
            )
            return self._answer(refusal(response.status_code, why, headers))
        self._socket.send_response(response)
        return self._opened(request) + (self._frames(rest) if rest else [])

    def _opened(self, request: Request) -> list[ClientEvent]:
        self._collect()
        self.passed_on = "X-Forwarded-For" in request.headers
        forwarded = self._forwarded(request)
        chosen = self._socket.subprotocol
        assert chosen is not None, "accepted without a subprotocol"
        self.acknowledges = chosen == SUBPROTOCOL
        self._speech = PerdureSpeech(self._server, forwarded) if self.acknowledges else MudSpeech(chosen, forwarded)
        self._speech.playing = self._playing
        self._speech.set(self._settings)
        self._stage = "open"
        events = self._speech.begin()
        self._collect()
        return events

    def _forwarded(self, request: Request) -> str:
        """The address for which it is asked, if a trusted proxy says so."""
        return web_request.forwarded(request, self._proxies) if self.trusted else ""

    def _answer(self, answer: bytes, why: str = "") -> list[ClientEvent]:
        """Answer in HTTP, and that was all; `why`: what else only the log would tell the server's owner."""
        self._stage = "over"
        self._head.clear()
        head, gap, body = answer.partition(b"\r\n\r\n")
        self._out += head + gap + (b"" if self._is_head else body)
        return [Ended(why)]

    # --- the WebSocket ---

    def _frames(self, data: bytes) -> list[ClientEvent]:
        self._collect()  # before the library queues what it answers by itself
        self._socket.receive_data(data)
        events: list[ClientEvent] = []
        for frame in self._socket.events_received():
            assert isinstance(frame, Frame)
            came = self._frame(frame)
            self._asides += not (came and type(came[0]) is Line)
            events += came
            if self._stage == "over":
                return events
        if self._socket.parser_exc is not None:
            return [*events, self._ended(str(self._socket.parser_exc))]
        return events

    def _frame(self, frame: Frame) -> list[ClientEvent]:
        if frame.opcode is Opcode.CLOSE:
            return [self._ended("")]
        if frame.opcode in (Opcode.PING, Opcode.PONG):
            self._controls += 1
            return [] if self._controls <= CONTROLS_MAX else [self._fail(1008, "too many control frames")]
        if frame.opcode is not Opcode.CONT:
            self._is_text = frame.opcode is Opcode.TEXT
        self._fragments.append(bytes(frame.data))
        if len(self._fragments) > FRAGMENTS_MAX:
            return [self._fail(1008, f"a message of more than {FRAGMENTS_MAX} fragments")]
        return self._message() if frame.fin else []

    def _message(self) -> list[ClientEvent]:
        assert self._speech is not None
        message = b"".join(self._fragments)
        self._fragments.clear()
        self._controls = 0
        try:
            return self._speech.receive(message.decode() if self._is_text else message)
        except UnicodeDecodeError:
            return [self._fail(1007, "a text message that is not UTF-8")]
        except Broken as broken:
            return [self._fail(broken.code, broken.reason)]

    def _fail(self, code: int, reason: str) -> Ended:
        """The client broke a bound: say so in the close frame."""
        self._collect()
        self._socket.fail(code, _short(reason))
        return self._ended(reason)

    def _ended(self, reason: str) -> Ended:
        self._collect()
        self._stage = "over"
        self._fragments.clear()
        return Ended(reason)

    def _collect(self) -> None:
        """Gather the bytes for the client: the speech's messages, while the WebSocket takes any, then the rest."""
        for message in self._speech.take() if self._speech is not None else ():
            if self._socket.state is not OPEN:
                continue
            if isinstance(message, str):
                self._socket.send_text(message.encode())
            else:
                self._socket.send_binary(message)
        self._out += b"".join(self._socket.data_to_send())


def _choose(_socket: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol:
    """Ours if the client knows it, else the first on its list that we know."""
    for name in (SUBPROTOCOL, *offered):
        if name in offered and name in SUBPROTOCOLS:
            return Subprotocol(name)
    raise NegotiationError("no subprotocol in common")


def _short(reason: str) -> str:
    """A reason as long as a close frame may carry it."""
    return reason.encode()[:REASON_BYTES_MAX].decode(errors="ignore")


def _first_line(body: bytes | bytearray) -> str:
    return bytes(body).partition(b"\n")[0].decode(errors="replace")
