"""A host's connection: frames in, one frame per turn out."""

from __future__ import annotations

import asyncio
import socket
from typing import Protocol

from perdure.errors import ProtocolError
from perdure.link.messages import FrameReader, Message, encode_frames

READ_BYTES = 256 * 1024


class LinkOwner(Protocol):
    """Whom a link tells."""

    def arrived(self, link: HostLink, messages: list[Message]) -> None:
        """The host said this. May raise ProtocolError, which ends the link."""

    def unsent(self, link: HostLink) -> None:
        """There is something to `flush` this turn; said once a turn."""

    def link_over(self, link: HostLink, reason: str) -> None:
        """The link is closed; `reason` is "" if the host simply went away."""


class HostLink:
    """One host, as the gateway reaches it."""

    def __init__(self, sock: socket.socket, loop: asyncio.AbstractEventLoop, owner: LinkOwner) -> None:
        self._sock, self._loop, self._owner = sock, loop, owner
        self._reader = FrameReader()
        self._messages: list[Message] = []
        self._buffer = bytearray()
        self._open = True
        self._writing = False

    def start(self) -> None:
        """Begin to read."""
        self._sock.setblocking(False)
        self._loop.add_reader(self._sock, self._readable)

    def send(self, message: Message) -> None:
        """Say this at the end of the turn."""
        if not self._open:
            return
        if not self._messages:
            self._owner.unsent(self)
        self._messages.append(message)

    def flush(self) -> None:
        """Send all that was said this turn."""
        if not self._open:
            return
        self._buffer += encode_frames(self._messages)
        self._messages.clear()
        try:
            while self._buffer:
                del self._buffer[: self._sock.send(self._buffer)]
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self.close("")
            return
        self._watch_writable(bool(self._buffer))

    def close(self, reason: str = "") -> None:
        """End the link."""
        if not self._open:
            return
        self._open = False
        self._watch_writable(False)
        self._loop.remove_reader(self._sock)
        self._sock.close()
        self._owner.link_over(self, reason)

    def _readable(self) -> None:
        try:
            data = self._sock.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        try:
            self._owner.arrived(self, self._reader.feed(data))
        except ProtocolError as error:
            self.close(str(error))

    def _watch_writable(self, on: bool) -> None:
        if on == self._writing:
            return
        self._writing = on
        if on:
            self._loop.add_writer(self._sock, self.flush)
        else:
            self._loop.remove_writer(self._sock)
