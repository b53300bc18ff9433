"""The door: accepts connections on the inherited listeners, and turns away those that are too many."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec
import structlog

ACCEPTS_PER_TURN = 64
RETRY_S = 1.0
"""Pause after accept itself failed, which is what a process without free descriptors sees."""

log = structlog.get_logger()


class Limits(msgspec.Struct, frozen=True):
    """How long and how many; the defaults are for servers, tests make them small.

    Attributes:
        first_line_s: From connecting to the first line (slowloris).
        login_s: From connecting to the end of the login dialogue.
        clients_max: Connections in all.
        per_address_max: Connections of one IPv4 address or one IPv6 /64.
        per_loopback_max: The same for this machine's own addresses, where a proxy or a test connects from.
        goodbye_s: How long a leaving player's room may take to say its last words.
    """

    first_line_s: float = 30.0
    login_s: float = 180.0
    clients_max: int = 16_384
    per_address_max: int = 64
    per_loopback_max: int = 16_384
    goodbye_s: float = 5.0


class Door:
    """Accepts for the gateway.

    Args:
        listeners: Listening sockets; the door owns them.
        admit: Called with each accepted socket and the address under which it is counted.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listeners: Sequence[socket.socket],
        limits: Limits,
        admit: Callable[[socket.socket, str], None],
    ) -> None:
        self._loop, self._listeners, self._limits, self._admit = loop, list(listeners), limits, admit
        self._here: Counter[str] = Counter()
        self._retry: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Begin to accept."""
        for listener in self._listeners:
            listener.setblocking(False)
            self._loop.add_reader(listener, self._knock, listener)

    def close(self) -> None:
        """Accept nobody any more."""
        if self._retry is not None:
            self._retry.cancel()
        for listener in self._listeners:
            self._loop.remove_reader(listener)
            listener.close()
        self._listeners.clear()

    def left(self, address: str) -> None:
        """A connection from there is closed."""
        self._here[address] -= 1
        if self._here[address] <= 0:
            del self._here[address]

    def _knock(self, listener: socket.socket) -> None:
        for _ in range(ACCEPTS_PER_TURN):
            try:
                sock, peer = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._rest(error)
                return
            self._answer(sock, counted_address(peer[0]))

    def _answer(self, sock: socket.socket, address: str) -> None:
        if reason := self._reason_against(address):
            log.info("connection refused", address=address, reason=reason)
            _turn_away(sock, reason)
            return
        self._here[address] += 1
        try:
            self._admit(sock, address)
        except OSError as error:  # it was gone before it was served
            log.info("connection lost", address=address, error=str(error))
            self.left(address)
            sock.close()

    def _reason_against(self, address: str) -> str:
        if self._here.total() >= self._limits.clients_max:
            return "The server is full. Try again in a while."
        own = address == "::1/64" or address.startswith("127.")
        most = self._limits.per_loopback_max if own else self._limits.per_address_max
        if self._here[address] >= most:
            return f"There are {most} connections from your address already. Close one of them first."
        return ""

    def _rest(self, error: OSError) -> None:
        """Accept nobody for a moment: a listener that stays readable would spin."""
        log.error("cannot accept", error=str(error), retry_s=RETRY_S)
        for listener in self._listeners:
            self._loop.remove_reader(listener)
        self._retry = self._loop.call_later(RETRY_S, self.open)


def counted_address(host: str) -> str:
    """The address under which connections are counted: an IPv6 user has a whole /64."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    if address.is_loopback:
        return "::1/64"
    return str(ipaddress.IPv6Network((address, 64), strict=False))


def _turn_away(sock: socket.socket, reason: str) -> None:
    with sock, contextlib.suppress(OSError):  # whoever is gone needs no reason
        sock.setblocking(False)
        sock.send(f"{reason}\r\n".encode())
        sock.shutdown(socket.SHUT_WR)
