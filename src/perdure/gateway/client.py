"""A player's socket: reads into a wire, writes once per turn, closes without losing the last words.

The socket is non-blocking and watched by readiness callbacks, so nothing is read while reading is off and
nothing is buffered that the owner does not know of. At most `BUFFER_BYTES_MAX` wait here; the owner keeps
the rest and is told by `shown` what has reached the client: its socket, or, where its wire acknowledges, itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from typing import Literal, Protocol

from perdure.gateway.wire import Acked, ClientEvent, Held, Note, Wire

READ_BYTES = 4 * 1024
"""Read per turn, so that one busy client does not hold the others up: 4 KiB of the smallest messages take a
millisecond."""
BUFFER_BYTES_MAX = 64 * 1024
DRAIN_S = 30.0
"""How long a client may take to read its last words, or a page its files."""
LINGER_S = 2.0
"""How long a client that was told goodbye may take to close its side; then the socket is closed anyway."""
IGNORED_BYTES_MAX = 256 * 1024
"""Read from a client that is told goodbye, so that its own end is seen; one that sends more than this is not read."""
KEEPALIVE_S = 30.0
"""Routers forget connections that are silent for longer than some minutes."""
KEEPALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4, "TCP_USER_TIMEOUT": 120_000}
"""A player whose network vanished is noticed after two minutes, also while something is on its way to them."""

_DISCONNECT = (ConnectionError, TimeoutError, OSError)


class ClientOwner(Protocol):
    """Whom a client tells."""

    def received(self, client: Client) -> None:
        """`client.pending` has new events."""

    def writable(self, client: Client) -> None:
        """The buffer has room again."""

    def shown(self, client: Client, held: Held) -> None:
        """All of `held` has reached the client, as far as can be known."""

    def lost(self, client: Client) -> None:
        """The other side is gone. `closed` follows."""

    def said_all(self) -> None:
        """A closing client's last words have reached the socket."""

    def closed(self, client: Client) -> None:
        """The descriptor is closed."""


class Client:
    """One connection.

    Attributes:
        address: Under which it is counted; a trusted proxy may name another one later.
        wire: How it is spoken to.
        pending: Events not yet taken by the owner.
        burst: Whether something was queued after the last end of a burst; the owner's to set.
        unshown_bytes: About how much of what was queued has not reached the client.
        asides: How much came that was no line, for the owner to book and set to 0. What acknowledges a text is none:
            there are no more of them than there were texts.
    """

    def __init__(
        self, sock: socket.socket, address: str, wire: Wire, loop: asyncio.AbstractEventLoop, owner: ClientOwner
    ) -> None:
        self.address, self.wire = address, wire
        self.pending: deque[ClientEvent] = deque()
        self.burst = False
        self.asides = 0
        self._sock, self._loop, self._owner = sock, loop, owner
        self._state: Literal["open", "closing", "shut", "closed"] = "open"
        self._reading = self._writing = False
        self._buffer = bytearray()
        self._sent = self._ignored = 0
        self._marks: deque[tuple[int, int, Held]] = deque()  # where in the stream it begins and ends
        self.unshown_bytes = 0
        self._linger: asyncio.TimerHandle | None = None
        self._keepalive: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to read, with the wire's first offers on their way; `pending` has what the wire knows already."""
        self._sock.setblocking(False)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in KEEPALIVE.items():
            self._sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        self.pending.extend(self.wire.begin())
        self.read(True)
        self._keepalive = self._loop.call_later(KEEPALIVE_S, self._keep_alive)

    @property
    def open(self) -> bool:
        """Whether the client is served: not closing and not closed."""
        return self._state == "open"

    @property
    def buffered(self) -> int:
        """Bytes that the socket has not taken yet."""
        return len(self._buffer)

    @property
    def told(self) -> bool:
        """Whether the client is closing and the socket has taken its last words."""
        return self._state in ("shut", "closed")

    def read(self, on: bool) -> None:
        """Read from the socket, or let TCP hold the client back."""
        if on == self._reading or self._state == "closed":
            return
        self._reading = on
        if on:
            self._loop.add_reader(self._sock, self._readable)
        else:
            self._loop.remove_reader(self._sock)

    def queue(self, held: Held) -> None:
        """Put something into the buffer; `flush` sends it."""
        begin = self._sent + len(self._buffer)
        self.wire.show(held)
        self._buffer += self.wire.data_to_send()
        self._marks.append((begin, self._sent + len(self._buffer), held))
        self.unshown_bytes += held.size_bytes

    def note(self, note: Note) -> None:
        """Tell the client's program something, beside the texts; `flush` sends it."""
        self.wire.note(note)

    def replies(self) -> bool:
        """Take over what the wire answered by itself; whether there is something to `flush`."""
        self._buffer += self.wire.data_to_send()
        return bool(self._buffer)

    def unsent(self) -> list[Held]:
        """Take back what has not wholly reached the client, oldest first.

        A frame that the socket has begun to take stays in the buffer to its end: half of one would be the last that
        the client understands. Half of a text harms nobody.
        """
        keep = len(self._buffer)
        for begin, end, held in self._marks:
            if end > self._sent:
                framed = self.wire.framed or held.text.gmcp is not None
                keep = max(0, (end if framed and begin < self._sent else begin) - self._sent)
                break
        del self._buffer[keep:]
        unshown = [held for _, _, held in self._marks]
        self._marks.clear()
        self.unshown_bytes = 0
        return unshown

    def flush(self) -> None:
        """Send what the socket takes; wait for it to take the rest."""
        if self._state in ("shut", "closed"):
            return
        buffer = self._buffer
        buffer += self.wire.data_to_send()
        try:
            while buffer and (count := self._sock.send(buffer)):
                self._sent += count
                del buffer[:count]
        except (BlockingIOError, InterruptedError):
            pass
        except _DISCONNECT:
            self._lost()
            return
        waits = bool(buffer)
        if waits != self._writing:
            self._watch_writable(waits)
        while self._marks and not self.wire.acknowledges and self._marks[0][1] <= self._sent:
            self._shown()
        if self._state == "closing" and not buffer:
            self._shut()

    def close(self) -> None:
        """Send what is buffered, then end the connection; input is ignored from now on."""
        if self._state != "open":
            return
        self._state = "closing"
        self.pending.clear()
        self._linger = self._loop.call_later(DRAIN_S, self.drop)
        self.wire.close()
        self.read(True)
        self.flush()

    def drop(self) -> None:
        """Close the descriptor now."""
        if self._state == "closed":
            return
        self.read(False)
        self._watch_writable(False)
        self._state = "closed"
        for timer in (self._linger, self._keepalive):
            if timer is not None:
                timer.cancel()
        with contextlib.suppress(OSError):  # it may be closed at the other side already
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()
        self._owner.closed(self)

    def _readable(self) -> None:
        try:
            data = self._sock.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except _DISCONNECT:
            data = b""
        # libuv calls once for a socket that was reset, then watches it no more: the error behind `data` is read here.
        reset = data and self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if not data:
            self._lost()
        elif self._state == "open":
            for event in self.wire.receive(data):
                if type(event) is Acked:
                    self._acked(event.serial)
                else:
                    self.pending.append(event)
            self.asides += self.wire.asides()
            self._owner.received(self)
        else:
            self._ignored += len(data)
            if self._ignored > IGNORED_BYTES_MAX:
                self.read(False)
        if reset:
            self._lost()

    def _acked(self, serial: int) -> None:
        if self._marks and self._marks[0][2].serial <= serial:
            self.asides -= 1
        while self._marks and self._marks[0][2].serial <= serial:
            self._shown()

    def _shown(self) -> None:
        held = self._marks.popleft()[2]
        self.unshown_bytes -= held.size_bytes
        self._owner.shown(self, held)

    def _keep_alive(self) -> None:
        if self._state == "open":
            self._keepalive = self._loop.call_later(KEEPALIVE_S, self._keep_alive)
            self.wire.keepalive()
            self._owner.writable(self)

    def _watch_writable(self, on: bool) -> None:
        if on == self._writing:
            return
        self._writing = on
        if on:
            self._loop.add_writer(self._sock, self._owner.writable, self)
        else:
            self._loop.remove_writer(self._sock)

    def _shut(self) -> None:
        """Say that nothing more comes, and wait for the other side: closing over unread input resets it."""
        self._state = "shut"
        if self._linger is not None:
            self._linger.cancel()
        self._linger = self._loop.call_later(LINGER_S, self.drop)
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.drop()
        self._owner.said_all()

    def _lost(self) -> None:
        if self._state == "open":
            self._owner.lost(self)
        self.drop()
