"""The door: accepts connections on the inherited listeners, and turns away those that are too many.

Of a connection that comes from a trusted proxy the door asks first whom the proxy speaks for: a telnet connection
begins with a PROXY header, which is taken off it here, so that whoever serves it sees the client's bytes only. Of a
web page the request says it, later (`plays`).

A web connection asks for a file of the page, at first or for ever: it counts among the address's connections only from
when somebody plays on it, for a page of twenty files would otherwise take the place of its own player. What asks is
bounded, too, more generously, and by the deadline of every request.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import structlog

from perdure.errors import ProtocolError
from perdure.gateway import proxy
from perdure.gateway.limits import Limits
from perdure.gateway.places import Places
from perdure.gateway.proxy import Proxies

ACCEPTS_PER_TURN = 64
RETRY_S = 1.0
"""Pause after accept itself failed, which is what a process without free descriptors sees."""

FULL = "The server is full. Try again in a while."
NO_HEADER = "Connections from this address are a proxy's, and have to begin with a PROXY header."

NAMES_NOBODY = "It names nobody in X-Forwarded-For, so all its players share the limits of one address."
NOT_TRUSTED = "It is not one of [server] proxies, so all its players have its address, and its limits or none."

WEB_ANSWER = (
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n"
    "Content-Length: {bytes}\r\nConnection: close\r\n\r\n"
)
ASKING_MAX, ASKING_SHARE = 64, 4
"""Web connections of an address on which nobody plays: so many, or so many times its connections if that is more."""
UNREAD_BYTES = 16 * 1024
"""What a browser may have asked already when it is turned away."""

Kind = Literal["telnet", "web"]
Admit = Callable[[socket.socket, str, Kind, bool], None]

log = structlog.get_logger()


class _Waiting(NamedTuple):
    """A proxy's connection whose header is not here yet."""

    header: bytearray
    address: str
    deadline: asyncio.TimerHandle


class Door:
    """Accepts for the gateway.

    Args:
        listeners: Listening sockets and what is spoken on them; the door owns them.
        admit: Called with each accepted socket, the address under which it is counted, what is spoken on it, and
            whether it comes from a trusted proxy.

    Attributes:
        proxies: Whom it believes about others' addresses.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listeners: Sequence[tuple[Kind, socket.socket]],
        limits: Limits,
        admit: Admit,
    ) -> None:
        self._loop, self._listeners, self._limits, self._admit = loop, list(listeners), limits, admit
        self.proxies = Proxies(limits.proxies)
        most = limits.per_address_max
        self._here = Places(limits, most)
        self._asking = Places(limits, max(ASKING_MAX, ASKING_SHARE * most))  # on the web, where nobody plays yet
        self._waiting: dict[socket.socket, _Waiting] = {}
        self._retry: asyncio.TimerHandle | None = None
        self._warned: set[str] = set()

    def open(self) -> None:
        """Begin to accept."""
        for kind, listener in self._listeners:
            listener.setblocking(False)
            self._loop.add_reader(listener, self._knock, kind, listener)

    def close(self) -> None:
        """Accept nobody any more."""
        if self._retry is not None:
            self._retry.cancel()
        for _, listener in self._listeners:
            self._loop.remove_reader(listener)
            listener.close()
        self._listeners.clear()
        for sock in list(self._waiting):
            self._stop_waiting(sock)
            sock.close()

    def plays(self, address: str, forwarded: str, *, trusted: bool, passed_on: bool = False) -> tuple[str, str]:
        """A web connection that came from `address` is to be played on; `forwarded`: for whom, as its proxy says.

        Args:
            passed_on: Whether it says at all that it is somebody else's, be it believed or not.
        Returns:
            The address under which it counts from here on, and why it cannot stay; "" when it can.
        """
        self.left(address, asked=True)
        if trusted and not forwarded:
            self._warn(address, NAMES_NOBODY)
        elif passed_on and not trusted and ipaddress.ip_address(address.partition("/")[0]).is_private:
            self._warn(address, NOT_TRUSTED)
        if forwarded:
            address = counted_address(forwarded)
        reason = "" if trusted and not forwarded else self._too_many(address)
        self._here.take(address)
        return address, reason

    def left(self, address: str, *, asked: bool = False) -> None:
        """A connection from there is closed; `asked`: it was one on the web on which nobody played."""
        (self._asking if asked else self._here).leave(address)

    def _knock(self, kind: Kind, listener: socket.socket) -> None:
        for _ in range(ACCEPTS_PER_TURN):
            try:
                sock, peer = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._rest(error)
                return
            address, trusted = counted_address(peer[0]), self.proxies.trusts(peer[0])
            if trusted and kind == "telnet" and not self._is_full:
                self._await_header(sock, address)
            else:
                self._answer(sock, address, kind, trusted=trusted)

    def _answer(self, sock: socket.socket, address: str, kind: Kind, *, trusted: bool) -> None:
        """Serve it, or say why not. A proxy's own address is not limited: its clients' are."""
        asks = kind == "web"
        reason = FULL if self._is_full else "" if trusted else self._too_many(address, asks=asks)
        if reason:
            log.info("connection refused", address=address, transport=kind, reason=reason)
            _turn_away(sock, kind, reason)
            return
        (self._asking if asks else self._here).take(address)
        try:
            self._admit(sock, address, kind, trusted)
        except OSError as error:  # it was gone before it was served
            log.info("connection lost", address=address, error=str(error))
            self.left(address, asked=asks)
            sock.close()

    @property
    def _is_full(self) -> bool:
        return len(self._here) + len(self._asking) + len(self._waiting) >= self._limits.clients_max

    def _too_many(self, address: str, *, asks: bool = False) -> str:
        full = (self._asking if asks else self._here).full(address)
        if full is None:
            return ""
        if asks:
            return f"Your {full.whose} asks for very much at once. Load the page again."
        return full.text("connection", "Close {} first.")

    # --- proxies ---

    def _warn(self, address: str, why: str) -> None:
        """Say once that a proxy is not set up as it must be; for each of its players it would be said again."""
        if why not in self._warned:
            self._warned.add(why)
            log.warning("a proxy hides its players' addresses", proxy=address, reason=why)

    def _await_header(self, sock: socket.socket, address: str) -> None:
        sock.setblocking(False)
        deadline = self._loop.call_later(self._limits.proxy_s, self._refuse, sock, "no PROXY header came in time")
        self._waiting[sock] = _Waiting(bytearray(), address, deadline)
        self._loop.add_reader(sock, self._read_header, sock)

    def _read_header(self, sock: socket.socket) -> None:
        """Take the header off the socket, and no byte of what follows: only what is surely header is ever read."""
        waiting = self._waiting[sock]
        try:
            data = sock.recv(proxy.V2_BYTES_MAX, socket.MSG_PEEK)
            found = proxy.header(bytes(waiting.header) + data) if data else None
            if found is None:
                waiting.header.extend(sock.recv(len(data)))
            else:
                sock.recv(found.size_bytes - len(waiting.header))
        except (BlockingIOError, InterruptedError):
            return
        except ProtocolError as error:
            self._refuse(sock, str(error))
            return
        except OSError:
            data, found = b"", None
        if found is not None:
            self._stop_waiting(sock)
            address = counted_address(found.address) if found.address else waiting.address
            self._answer(sock, address, "telnet", trusted=not found.address)
        elif not data:  # a proxy that only looks whether somebody listens
            self._stop_waiting(sock)
            sock.close()

    def _refuse(self, sock: socket.socket, reason: str) -> None:
        log.warning("a proxy's connection refused", proxy=self._waiting[sock].address, reason=reason)
        self._stop_waiting(sock)
        _turn_away(sock, "telnet", NO_HEADER)

    def _stop_waiting(self, sock: socket.socket) -> None:
        self._waiting.pop(sock).deadline.cancel()
        self._loop.remove_reader(sock)

    def _rest(self, error: OSError) -> None:
        """Accept nobody for a moment: a listener that stays readable would spin."""
        log.error("cannot accept", error=str(error), retry_s=RETRY_S)
        for _, listener in self._listeners:
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


def _turn_away(sock: socket.socket, kind: Kind, reason: str) -> None:
    text = f"{reason}\r\n".encode()
    if kind == "web":
        text = WEB_ANSWER.format(bytes=len(text)).encode() + text
    with sock, contextlib.suppress(OSError):  # whoever is gone needs no reason
        sock.setblocking(False)
        sock.send(text)
        sock.shutdown(socket.SHUT_WR)
        sock.recv(UNREAD_BYTES)  # what is closed unread is reset, and the reason with it
