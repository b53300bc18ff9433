"""The host's sockets to gateways: connect, speak frames, connect again.

The gateway listens, and the supervisor keeps its listener: while a gateway is away a connect waits in
the queue. All messages of one turn of the loop leave together.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

import structlog

from perdure.errors import PeerError
from perdure.link.messages import VERSION, VERSION_LOWEST, FrameReader, HostHello, Message, encode_frames

RECONNECT_S = 0.05
READ_BYTES = 256 * 1024
ANSWERED = 32
"""After so many messages of one read what they caused leaves: a backlog must not be worked off in silence."""


class GatewayLink:
    """One connection to the gateway at `path`, made again whenever it is lost.

    Args:
        received: Called with (link, message); raises `PeerError` for one that no gateway may send.
        lost: Called with the link when its connection is gone.
        build: What people call this program.
    """

    def __init__(
        self,
        path: str,
        incarnation: str,
        loop: asyncio.AbstractEventLoop,
        received: Callable[[GatewayLink, Message], None],
        lost: Callable[[GatewayLink], None],
        build: str = "",
    ) -> None:
        self._path, self._incarnation, self._loop = path, incarnation, loop
        self._received, self._lost, self._build = received, lost, build
        self._socket: socket.socket | None = None
        self._reader = FrameReader()
        self._messages: list[Message] = []
        self._unsent = bytearray()
        self._closed = False

    def connect(self) -> None:
        """Connect, now or as soon as the gateway listens."""
        if self._closed:
            return
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            sock.connect(self._path)
        except OSError:  # nobody listens yet, or the queue is full
            sock.close()
            self._loop.call_later(RECONNECT_S, self.connect)
            return
        self._socket, self._reader, self._unsent = sock, FrameReader(), bytearray()
        self._loop.add_reader(sock, self._readable)
        self.send(HostHello(VERSION_LOWEST, VERSION, self._incarnation, self._build))

    def send(self, message: Message) -> None:
        """Say `message` at the end of this turn. Said to nobody while there is no connection: it is said anew then."""
        if self._socket is None:
            return
        if not self._messages:
            self._loop.call_soon(self._flush)
        self._messages.append(message)

    def close(self) -> None:
        """Close for good."""
        self._closed = True
        self._flush()
        self._drop()

    def _flush(self) -> None:
        if self._messages:
            messages, self._messages = self._messages, []
            self._unsent += encode_frames(messages)
            self._write()

    def _write(self) -> None:
        sock = self._socket
        if sock is None or not self._unsent:
            return
        try:
            sent = sock.send(self._unsent)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._broken()
            return
        del self._unsent[:sent]
        if self._unsent:
            self._loop.add_writer(sock, self._write)
        else:
            self._loop.remove_writer(sock)

    def _readable(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(READ_BYTES)
            messages = self._reader.feed(data)
        except BlockingIOError:
            return
        except OSError:
            self._broken()
            return
        except PeerError as error:
            self._refused(error)
            return
        if not data:
            self._broken()
            return
        try:
            for count, message in enumerate(messages, 1):
                if self._socket is not None:
                    self._received(self, message)
                if not count % ANSWERED:
                    self._flush()
        except PeerError as error:
            self._refused(error)

    def _refused(self, error: PeerError) -> None:
        structlog.get_logger().error("link", error=str(error))
        self._broken()

    def _broken(self) -> None:
        self._drop()
        self._lost(self)
        self._loop.call_later(RECONNECT_S, self.connect)

    def _drop(self) -> None:
        sock, self._socket = self._socket, None
        self._messages.clear()
        if sock is not None:
            self._loop.remove_reader(sock)
            self._loop.remove_writer(sock)
            with suppress(OSError):
                sock.close()
