"""A web wire and a client of it in one process, without sockets: what one writes the other reads."""

from __future__ import annotations

import json
from typing import Any

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.typing import Origin, Subprotocol
from websockets.uri import parse_uri

from perdure.gateway.proxy import Proxies
from perdure.gateway.web.site import File, Site
from perdure.gateway.web.wire import WebWire
from perdure.gateway.wire import ClientEvent, Held
from perdure.room.record import Text

SITE = Site({"/": File("text/html; charset=utf-8", '"e1"', b"<p>hi")})


def wire(*, origins: tuple[str, ...] = (), trusted: bool = False, proxies: tuple[str, ...] = ()) -> WebWire:
    """A wire of the server `The Tavern`."""
    return WebWire(SITE, "The Tavern", origins=origins, trusted=trusted, proxies=Proxies(proxies))


def answer(wire: WebWire, request: str) -> tuple[int, dict[str, str], bytes]:
    """(status, headers, body) of the answer to a request, which is to be all of it."""
    events = wire.receive(request.replace("\n", "\r\n").encode("latin-1"))
    assert [type(event).__name__ for event in events] == ["Ended"]
    return parsed(wire.data_to_send())


def parsed(data: bytes) -> tuple[int, dict[str, str], bytes]:
    """(status, headers, body) of an answer in HTTP."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    return int(first.split()[1]), {n.lower(): v for n, _, v in (line.partition(": ") for line in lines)}, body


class Pair:
    """A client and its wire, the handshake done.

    Attributes:
        wire: The server's side.
        events: All that the wire said.
        received: Messages that the client has, oldest first; JSON is decoded if it speaks perdure.
    """

    def __init__(
        self,
        *subprotocols: str,
        origin: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        served: WebWire | None = None,
    ) -> None:
        self.wire = served or wire()
        self.client = ClientProtocol(
            parse_uri("ws://localhost:8080/play"),
            origin=None if origin is None else Origin(origin),
            subprotocols=[Subprotocol(name) for name in subprotocols] or None,
        )
        self.response: Response | None = None
        self.events: list[ClientEvent] = list(self.wire.begin())
        self.received: list[Any] = []
        request = self.client.connect()
        for name, value in headers:
            request.headers[name] = value
        self.client.send_request(request)
        self.pump()

    @property
    def is_open(self) -> bool:
        return self.client.state is State.OPEN

    @property
    def closed(self) -> tuple[int, str] | None:
        """Code and reason of the server's close frame."""
        close = self.client.close_rcvd
        return None if close is None else (int(close.code), close.reason)

    def pump(self) -> list[ClientEvent]:
        """Bring what each has written to the other, until both are silent; the wire's new events."""
        events: list[ClientEvent] = []
        while True:
            sent = b"".join(self.client.data_to_send())
            if sent:
                events += self.wire.receive(sent)
            came = self.wire.data_to_send()
            if came:
                self.client.receive_data(came)
                for event in self.client.events_received():
                    if isinstance(event, Response):
                        self.response = event
                    elif isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY):
                        self.received.append(self._message(event))
            if not sent and not came:
                self.events += events
                return events

    def says(self, message: str | bytes | dict[str, Any]) -> list[ClientEvent]:
        """Send a message; what the wire makes of it."""
        if isinstance(message, bytes):
            self.client.send_binary(message)
        else:
            text = message if isinstance(message, str) else json.dumps(message)
            self.client.send_text(text.encode())
        return self.pump()

    def gets(self) -> list[Any]:
        """The messages since the last call."""
        self.pump()
        received, self.received = self.received, []
        return received

    def _message(self, frame: Frame) -> Any:
        data = bytes(frame.data)
        if frame.opcode is Opcode.BINARY:
            return data
        return json.loads(data) if self.client.subprotocol == "perdure" else data.decode()


def held(serial: int, text: Text, *, again: bool = False) -> Held:
    """Something for the session's client, outside any seat."""
    return Held(serial, 0, 0, text, again)
