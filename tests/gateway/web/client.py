"""A web client for tests: the `websockets` library's client, without input and output, over a blocking socket.

`HttpClient` asks for pages; `WebClient` speaks `perdure` as docs/reference/web-protocol.md has it. Every wait is on
a condition, with a deadline far beyond what is needed.
"""

from __future__ import annotations

import json
import re
import socket
from collections import deque
from contextlib import suppress
from typing import Any

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidState
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.typing import Origin, Subprotocol
from websockets.uri import parse_uri

PATIENCE_S = 20.0
_sgr = re.compile("\x1b\\[[0-9;:]*m")


class WebSocket:
    """Messages over one connection.

    Attributes:
        response: The server's answer to the handshake.
        close_code, close_reason: Of the server's close frame, once it came.
    """

    def __init__(
        self,
        address: tuple[str, int],
        *subprotocols: str,
        origin: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self._protocol = ClientProtocol(
            parse_uri(f"ws://{address[0]}:{address[1]}/play"),
            origin=None if origin is None else Origin(origin),
            subprotocols=[Subprotocol(name) for name in subprotocols] or None,
        )
        self._frames: deque[Frame] = deque()
        self._fragments = b""
        self.response: Response | None = None
        self.sock = socket.create_connection(address, timeout=PATIENCE_S)
        request = self._protocol.connect()
        request.headers.update(headers or {})
        self._protocol.send_request(request)
        self._flush()
        while self.response is None:
            assert self._receive(), "closed during the handshake"

    @property
    def is_open(self) -> bool:
        """Whether the handshake went well, and nobody has closed since."""
        return self._protocol.state is State.OPEN

    @property
    def close_code(self) -> int | None:
        return self._protocol.close_rcvd.code if self._protocol.close_rcvd is not None else None

    @property
    def close_reason(self) -> str | None:
        return self._protocol.close_rcvd.reason if self._protocol.close_rcvd is not None else None

    def sends(self, *messages: str | bytes) -> None:
        """Send text or binary messages, all in one packet."""
        for message in messages:
            if isinstance(message, str):
                self._protocol.send_text(message.encode())
            else:
                self._protocol.send_binary(message)
        self._flush()

    def pings(self) -> None:
        """Send a ping."""
        self._protocol.send_ping(b"")
        self._flush()

    def receives(self) -> str | bytes | None:
        """Wait for a message; None: the connection is over."""
        while True:
            while self._frames:
                frame = self._frames.popleft()
                if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
                    return bytes(frame.data).decode() if frame.opcode is Opcode.TEXT else bytes(frame.data)
            if not self._receive():
                return None

    def closes(self, code: int = 1000) -> None:
        """Close in order, and wait for the server to do so, too."""
        if self.is_open:
            self._protocol.send_close(code)
            self._flush()
        while self._receive():
            pass
        self.sock.close()

    def drops(self) -> None:
        """Vanish: the network is gone."""
        if self.sock.fileno() < 0:
            return
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def _receive(self) -> bool:
        """One read; False: nothing more comes."""
        try:
            data = self.sock.recv(65536)
        except ConnectionError:
            data = b""
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        for event in self._protocol.events_received():
            if isinstance(event, Response):
                self.response = event
            elif isinstance(event, Frame):
                assert event.fin, "this server sends whole messages"
                self._frames.append(event)
        self._flush()
        return bool(data)

    def _flush(self) -> None:
        out = self._protocol.data_to_send()
        with suppress(OSError):  # it is gone; the next read says so
            if data := b"".join(out):
                self.sock.sendall(data)
            if b"" in out:
                self.sock.shutdown(socket.SHUT_WR)


class WebClient:
    """One page: types lines, sees text, keeps its token, and goes on after a loss as pages do.

    Attributes:
        messages: All that came on this connection, as decoded JSON.
        last: Serial of the last thing that it has.
        text: What was shown, links as their text, without SGR; `links` is what they send.
        prompt, gmcp, echo, settings, name: As they stand.
        token: To go on with; "" before the login.
        taken: The last of its lines that the server took.
        missed: How many texts the last resumption said were missed; None if there was none.
        bye: Why it is not to connect again; "" while it may.
        acks: Whether it acknowledges what it has; a test may switch that off.
    """

    def __init__(self, address: tuple[str, int], *, columns: int = 80, rows: int = 24, **hello: Any) -> None:
        self._address = address
        self._hello = {"columns": columns, "rows": rows, "screenreader": False, "client": "test page 1", **hello}
        self.text = self.prompt = self.token = self.name = self.bye = self.server = ""
        self.gmcp: dict[str, Any] = {}
        self.links: list[tuple[str, str]] = []
        self.settings: dict[str, Any] = {}
        self.problems: list[str] = []
        self.refused = ""
        self.echo = self.acks = True
        self.last = self.taken = self.n = 0
        self.doubled = 0
        self.missed: int | None = None
        self._token_n = self._seen = 0
        self._pending: dict[int, str] = {}
        self.messages: list[dict[str, Any]] = []
        self.connects()

    # --- the connection ---

    def connects(self) -> None:
        """Open a connection; with a token, go on with the session and send again what was not taken."""
        self.messages, self._anew = [], self.last == 0
        self.socket = WebSocket(self._address, "perdure")
        assert self.socket.is_open, self.socket.response
        self.waits_for("hello")
        going = {"token": self.token, "last": self.last} if self.token else {}
        self.sends("hello", **self._hello, **going)
        if going:
            outcome = self.waits_for("resumed", "refused")
            if outcome["type"] == "resumed":
                for n, text in sorted(self._pending.items()):
                    self.sends("line", n=n, text=text)

    def drops(self) -> None:
        """The network is gone; the page is not."""
        self.socket.drops()

    def reloads(self) -> None:
        """The page is loaded anew: all it has is its token, its name and the number of its last line."""
        self.socket.drops()
        self.last, self.text, self._seen, self.prompt = 0, "", 0, ""
        self.connects()

    def closes(self) -> None:
        """The page is closed."""
        self.socket.closes(1001)

    def is_closed(self) -> int | None:
        """Wait for the server to end the connection; the close code."""
        while self._take():
            pass
        self.socket.sock.close()
        return self.socket.close_code

    # --- what the player does and sees ---

    def types(self, *lines: str) -> None:
        """Type lines."""
        for line in lines:
            self.n += 1
            self._pending[self.n] = line
            self.sends("line", n=self.n, text=line)

    def sees(self, text: str) -> str:
        """Wait for `text` after what was seen before; what came up to and with it."""
        while (at := self.text.find(text, self._seen)) < 0:
            assert self._take(), f"closed while waiting for {text!r}; saw {self.text[self._seen :]!r}"
        seen = self.text[self._seen : at + len(text)]
        self._seen = at + len(text)
        return seen

    def logs_in(self, name: str, password: str, *, create: bool = False) -> None:
        """Log in, or make the character; wait for the token."""
        self.types(f"{'create' if create else 'connect'} {name} {password}")
        self.waits_for("token")

    def waits_until_taken(self, n: int) -> None:
        """Wait until the server has taken the lines up to `n`."""
        while self.taken < n:
            self.waits_for("took")

    def settles(self) -> None:
        """Wait until the server has read all that this page sent."""
        self.sends("settings")
        self.waits_for("settings")

    # --- messages ---

    def sends(self, type: str, **fields: Any) -> None:
        """Send one message."""
        self.socket.sends(json.dumps({"type": type, **fields}))

    def waits_for(self, *types: str) -> dict[str, Any]:
        """Wait for the next message of one of these types."""
        begin = len(self.messages)
        while True:
            for message in self.messages[begin:]:
                if message["type"] in types:
                    return message
            begin = len(self.messages)
            assert self._take(), (
                f"closed while waiting for {types}; {self.socket.close_code} {self.socket.close_reason}"
            )

    def _take(self) -> bool:
        """One message more; False: the connection is over."""
        data = self.socket.receives()
        if data is None:
            return False
        assert isinstance(data, str)
        message = json.loads(data)
        self.messages.append(message)
        if (serial := message.get("serial")) is not None:
            if serial <= self.last:
                self.doubled += 1
                return True
            again = message.get("again", False)  # of what was shown before, only the texts
            assert again or self._anew or serial == self.last + 1, f"serial {serial} after {self.last}"
            self._anew, self.last = self._anew and again, serial
            if self.acks:
                with suppress(InvalidState):  # the server's close came in the same read
                    self.sends("ack", serial=serial)
        self._booked(message)
        return True

    def _booked(self, message: dict[str, Any]) -> None:
        match message:
            case {"type": "text", "parts": parts}:
                self.text += _sgr.sub("", "".join(part if isinstance(part, str) else part["text"] for part in parts))
                self.links += [(part["text"], part["send"]) for part in parts if not isinstance(part, str)]
            case {"type": "prompt", "text": prompt}:
                self.prompt = _sgr.sub("", prompt)
            case {"type": "gmcp", "package": package, "data": data}:
                self.gmcp[package] = data
            case {"type": "echo", "on": on}:
                self.echo = on
            case {"type": "took", "n": n}:
                self._took(n)
            case {"type": "token", "n": n, "token": token, "name": name}:
                assert n > self._token_n
                self._anew = self._anew or n == 1  # a login that goes on with a session played elsewhere
                self._token_n, self.token, self.name = n, token, name
                self.sends("confirm", n=n)
            case {"type": "resumed", "missed": missed, "took": took}:
                self.missed = missed
                self._took(took)
            case {"type": "refused", "reason": reason}:
                self.refused, self.token, self._token_n = reason, "", 0
                self.last = self.taken = self.n = 0
                self._anew = True
                self._pending.clear()
            case {"type": "bye", "reason": reason}:
                self.bye, self.token = reason, ""
            case {"type": "problem", "reason": reason}:
                self.problems.append(reason)
            case {"type": "settings", **holds}:
                self.settings = holds
            case {"type": "hello", "server": server}:
                self.server = server

    def _took(self, n: int) -> None:
        self.taken = max(self.taken, n)
        self._pending = {each: text for each, text in self._pending.items() if each > self.taken}


class HttpClient:
    """One request over one connection; the answer, whole."""

    def __init__(self, address: tuple[str, int], request: str) -> None:
        with socket.create_connection(address, timeout=PATIENCE_S) as sock:
            sock.sendall(request.replace("\n", "\r\n").encode())
            answer = b""
            while data := sock.recv(65536):
                answer += data
        head, _, self.body = answer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split(" ")[1])
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
