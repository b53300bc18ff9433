"""The load client: many players of one server, in a process of its own.

It reads orders from its standard input, one JSON object per line, and answers each with one line. Plain
epoll and sockets: what it costs itself is measured beside the server, so it is kept small.

A player's lines hold ``=NUMBER;`` and the server's answer repeats that; so each answer is checked to be
the next one: not lost, not doubled, not out of order.
"""

from __future__ import annotations

import base64
import os
import re
import select
import socket
import time
from collections.abc import Callable
from typing import Any

import psutil

from bench.orders import Ordered, follow
from bench.report import Spread

ANSWER = re.compile(rb"=(\d+);")
SERIAL = re.compile(rb'"serial":(\d+)[,}]')
ACKNOWLEDGED = 16
WAIT_S = 60.0


class Player:
    """One connection, by telnet."""

    line_end = b"\r\n"

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.data = b""
        self.sent = self.answered = self.wrong = 0
        self.sent_s = self.answered_s = 0.0

    def say(self, verb: str) -> None:
        """Send the next numbered line."""
        self.sent += 1
        self.sent_s = time.monotonic()
        self.type(b"%s =%d;" % (verb.encode(), self.sent))

    def type(self, line: bytes) -> None:
        """Send a line."""
        self.sock.sendall(line + b"\r\n")

    def take(self, data: bytes) -> None:
        """Look at what has come; by telnet all that matters are answers."""

    def read(self) -> int:
        """Take what has come; how many right answers it held."""
        data = self.sock.recv(65536)
        if not data:
            raise RuntimeError("the server closed a player's connection")
        self.data += data
        self.take(data)
        end = right = 0
        for found in ANSWER.finditer(self.data):
            end = found.end()
            if int(found[1]) == self.answered + 1:
                self.answered += 1
                right += 1
            else:
                self.wrong += 1
        self.data = self.data[end:]
        if right:
            self.answered_s = time.monotonic()
        return right


class WebPlayer(Player):
    """One connection by WebSocket, with the subprotocol `perdure` (docs/reference/web-protocol.md).

    Answers are looked for in the bytes as they come: frames of a server are not masked, and nothing is compressed.
    """

    line_end = rb"\n"

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._lines, self._read, self._shown, self._acknowledged = 0, b"", 0, 0
        host = b"%s:%d" % (sock.getpeername()[0].encode(), sock.getpeername()[1])
        sock.sendall(
            b"GET /play HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: perdure\r\n\r\n"
            % (host, base64.b64encode(os.urandom(16)))
        )
        head = b""
        while b"\r\n\r\n" not in head:
            head += sock.recv(1 << 16)
        if b" 101 " not in head.partition(b"\r\n")[0]:
            raise RuntimeError(f"no WebSocket: {head[:200]!r}")
        self._message(b'{"type":"hello"}')

    def type(self, line: bytes) -> None:
        """Send a line with its number. It has nothing in it that JSON would escape."""
        self._lines += 1
        self._message(b'{"type":"line","n":%d,"text":"%s"}' % (self._lines, line))

    def read(self) -> int:
        """As by telnet; and acknowledge what was shown, sixteen at a time."""
        right = super().read()
        if self.answered >= self._acknowledged + ACKNOWLEDGED:
            self._acknowledged = self.answered
            self._message(b'{"type":"ack","serial":%d}' % self._shown)
        return right

    def take(self, data: bytes) -> None:
        """Look for serials, in what came since the last one."""
        self._read += data
        for found in SERIAL.finditer(self._read):
            self._shown = int(found[1])
        self._read = self._read[-32:]

    def _message(self, text: bytes) -> None:
        size = bytes([0x80 | len(text)]) if len(text) < 126 else b"\xfe%s" % len(text).to_bytes(2, "big")
        self.sock.sendall(b"\x81%s\0\0\0\0%s" % (size, text))  # masked with zeros


class Load:
    """All players of this process; the methods are the orders."""

    def __init__(self) -> None:
        self.players: list[Player] = []
        self._by_fd: dict[int, Player] = {}
        self._epoll = select.epoll()

    def connect(self, port: int, count: int, guests: bool, web: bool = False) -> None:
        """Connect that many more players, by telnet or WebSocket, and log them in as guests."""
        for _ in range(count):
            sock = socket.create_connection(("127.0.0.1", port), WAIT_S)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            player = WebPlayer(sock) if web else Player(sock)
            self.players.append(player)
            self._by_fd[sock.fileno()] = player
            self._epoll.register(sock, select.EPOLLIN)
            if guests:
                player.type(b"guest")
        if guests:
            self.everybody_sees("in r0", count)

    def everybody_sees(self, text: str, count: int) -> None:
        """Wait until the last `count` players have seen the text."""
        unseen = set(self.players[-count:])
        self._until(lambda player: bool(player.read()), lambda: not unseen, lambda player: _seen(player, text, unseen))

    def spread_out(self) -> None:
        """Send player number N to room rN, and wait until it is there."""
        here = set(self.players)
        for number, player in enumerate(self.players):
            if number:
                player.type(b"go r%d" % number)
            else:
                here.discard(player)
        rooms = {player: f"in r{number}" for number, player in enumerate(self.players)}
        self._until(lambda player: bool(player.read()), lambda: not here, lambda p: _seen(p, rooms[p], here))

    def converse(self, verb: str, seconds: float) -> dict[str, Any]:
        """Everybody speaks, waits for the answer, speaks again; how often, and how long the answers took."""
        waits_s: list[float] = []
        deadline = time.monotonic() + seconds
        process = psutil.Process()
        before, began_s = process.cpu_times(), time.monotonic()
        for player in self.players:
            player.say(verb)
        count = 0
        while (now_s := time.monotonic()) < deadline:
            for fd, _ in self._epoll.poll(1.0):
                player = self._by_fd[fd]
                if player.read():
                    waits_s.append(player.answered_s - player.sent_s)
                    count += 1
                    player.say(verb)
        after, passed_s = process.cpu_times(), now_s - began_s
        self._until(lambda player: bool(player.read()), lambda: all(p.answered == p.sent for p in self.players))
        spread = Spread.of(waits_s or [0.0])
        spent_s = after.user + after.system - before.user - before.system
        return {
            "per_s": count / passed_s,
            "client_core": spent_s / passed_s,
            "p10_s": spread.low,
            "p50_s": spread.median,
            "p90_s": spread.high,
            "p99_s": spread.p99,
            "wrong": sum(player.wrong for player in self.players),
        }

    def say(self, verb: str) -> None:
        """Everybody says one line; nobody waits."""
        for player in self.players:
            player.say(verb)

    def answers(self) -> dict[str, Any]:
        """Wait until everything that was said is answered; when that was, on the monotonic clock."""
        late = self._until(lambda p: bool(p.read()), lambda: all(p.answered == p.sent for p in self.players))
        times = sorted(player.answered_s for player in self.players)
        return {
            "times_s": times,
            "lost": sum(player.sent - player.answered for player in self.players),
            "wrong": sum(player.wrong for player in self.players),
            "complete": not late,
        }

    def _until(
        self,
        read: Callable[[Player], bool],
        done: Callable[[], bool],
        then: Callable[[Player], None] = lambda _: None,
    ) -> bool:
        """Read until done; True if that took too long."""
        deadline = time.monotonic() + WAIT_S
        while not done():
            if time.monotonic() > deadline:
                return True
            for fd, _ in self._epoll.poll(1.0):
                read(self._by_fd[fd])
                then(self._by_fd[fd])
        return False


def _seen(player: Player, text: str, unseen: set[Player]) -> None:
    if text.encode() + player.line_end in player.data:
        player.data = b""
        unseen.discard(player)


class LoadClient(Ordered):
    """The load client as the measurement sees it; a context manager."""

    def __init__(self) -> None:
        super().__init__("bench.load")


def main() -> None:
    """Follow orders until there are no more."""
    follow(Load())


if __name__ == "__main__":
    main()
