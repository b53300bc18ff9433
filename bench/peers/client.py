"""The players of either server, in a process of its own that follows orders, one JSON object per line.

A player says numbered lines (``use 7``) and each answer names its number (``=7;``). Nothing here assumes that a
line is answered: what is lost, doubled, out of order, or disconnected is counted, and the others go on. Each kind of
order works for any server: how one logs in comes with the order.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import re
import select
import socket
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import psutil

from bench.orders import Ordered
from bench.report import Spread

ANSWER = re.compile(rb"=(\d+);")
LOGIN_S = 60.0
"""Longest wait for those who log in at the same time to be in the game."""
LOGINS = 20
"""So many log in at the same time."""
GIVE_UP_S = 1.0
"""In a conversation a line without an answer for so long is given up, and the next one said."""
DRAIN_S = 5.0
SLICE_S = 0.0005


class Player:
    """One connection; times are monotonic.

    Attributes:
        sent_s: Of each line; number 1 is the first.
        answered_s: Number -> when its first answer came.
        doubled_s, disordered_s: When an answer came that had come before; or after that of a later line.
        closed_s: When the server closed the connection.
    """

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), LOGIN_S)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = b""
        self.sent_s: list[float] = []
        self.answered_s: dict[int, float] = {}
        self.doubled_s: list[float] = []
        self.disordered_s: list[float] = []
        self.closed_s: float | None = None
        self._last = 0

    def say(self, line: bytes) -> None:
        """Send the next numbered line."""
        self.sent_s.append(time.monotonic())
        with contextlib.suppress(ConnectionError):  # seen, and counted, where it is read
            self.sock.sendall(line.replace(b"NUMBER", b"%d" % len(self.sent_s)) + b"\r\n")

    def read(self) -> int:
        """Take what has come; how many lines were answered by it for the first time."""
        try:
            data = self.sock.recv(1 << 16)
        except ConnectionError:
            data = b""
        now_s = time.monotonic()
        if not data:
            self.closed_s = now_s
        self.data += data
        end = right = 0
        for found in ANSWER.finditer(self.data):
            end, answered = found.end(), int(found[1])
            if answered in self.answered_s:
                self.doubled_s.append(now_s)
                continue
            self.answered_s[answered] = now_s
            right += 1
            if answered < self._last:
                self.disordered_s.append(now_s)
            self._last = max(self._last, answered)
        self.data = self.data[end:]
        return right

    def saw(self, text: bytes) -> bool:
        """Whether it was shown this, since the last time that this was true."""
        _, found, rest = self.data.partition(text)
        if found:
            self.data = rest
        return bool(found)

    @property
    def waits(self) -> bool:
        """Whether the last line has no answer yet."""
        return len(self.sent_s) not in self.answered_s


class Players:
    """All players of this process; the public methods are the orders."""

    def __init__(self) -> None:
        self._players: list[Player] = []
        self._by_fd: dict[int, Player] = {}
        self._epoll = select.epoll()
        self._line, self._every_s, self._due_s, self._turn = b"", 0.0, 0.0, 0
        self._process = psutil.Process()
        gc.disable()  # a collection would look like a silence of the server

    def connect(self, port: int, count: int, greeting: str, login: str, shown: str) -> None:
        """Log so many more players in, as `Door` says."""
        while count:
            joining = [Player(port) for _ in range(min(count, LOGINS))]
            count -= len(joining)
            for player in joining:
                self._players.append(player)
                self._by_fd[player.sock.fileno()] = player
                self._epoll.register(player.sock, select.EPOLLIN)
            self._wait_shown(joining, greeting.encode())
            for player in joining:
                player.sock.sendall(login.encode() + b"\r\n")
            self._wait_shown(joining, shown.encode())

    def pace(self, line: str, per_s: float) -> None:
        """Say this line so often from now on, all players taking turns; NUMBER in it is the line's number."""
        self._line, self._every_s, self._due_s = line.encode(), 1 / per_s, time.monotonic()

    def rest(self) -> None:
        """Say nothing more, and wait for answers for a while; those that did not come are lost."""
        self._line, deadline_s = b"", time.monotonic() + DRAIN_S
        while time.monotonic() < deadline_s and any(p.waits for p in self._players if p.sent_s and not p.closed_s):
            self._read(0.05)

    def answered_since(self, at_s: float) -> bool:
        """Whether any line that was said after this has an answer."""
        return any(
            number in player.answered_s
            for player in self._players
            for number in range(bisect_left(player.sent_s, at_s) + 1, len(player.sent_s) + 1)
        )

    def span(self, begin_s: float, end_s: float) -> dict[str, Any]:
        """What was seen of the lines that were said in this span, and what came in it."""
        came_s = (at_s for player in self._players for at_s in player.answered_s.values())
        within_s = [begin_s, *sorted(at_s for at_s in came_s if begin_s < at_s < end_s), end_s]
        waits_s, sent = [], 0
        for player in self._players:
            for index in range(bisect_left(player.sent_s, begin_s), bisect_left(player.sent_s, end_s)):
                sent += 1
                if index + 1 in player.answered_s:
                    waits_s.append(player.answered_s[index + 1] - player.sent_s[index])

        def in_span(times_s: Sequence[float]) -> int:
            return sum(begin_s <= at_s <= end_s for at_s in times_s)

        return {
            "silence_s": max(later - before for before, later in pairwise(within_s)),
            "wait_s": max(waits_s, default=0.0),
            "waits": Spread.of(waits_s or [0.0]),
            "sent": sent,
            "lost": sent - len(waits_s),
            "doubled": sum(in_span(player.doubled_s) for player in self._players),
            "disordered": sum(in_span(player.disordered_s) for player in self._players),
            "disconnected": in_span([player.closed_s for player in self._players if player.closed_s is not None]),
        }

    def converse(self, line: str, seconds: float, per_s: float = 0.0) -> dict[str, Any]:
        """Everybody speaks, waits for the answer, speaks again: lines each second, waits, lines given up.

        Args:
            per_s: How often each speaks at most; 0: as soon as it is answered.
        """
        said, rest_s = line.encode(), 1 / per_s if per_s else 0.0
        before, began_s = self._process.cpu_times(), time.monotonic()
        resting: deque[Player] = deque()
        for player in self._players:
            player.say(said)
        count, look_s = 0, began_s
        while (now_s := time.monotonic()) < began_s + seconds:
            for player, right in self._read(rest_s / 10 if rest_s else GIVE_UP_S / 4):
                count += right
                if right and rest_s:
                    resting.append(player)
                elif right:
                    player.say(said)
            while resting and resting[0].sent_s[-1] + rest_s <= time.monotonic():
                resting.popleft().say(said)
            if now_s > look_s + GIVE_UP_S / 4:
                look_s = now_s
                for player in self._players:
                    if player.sent_s[-1] < now_s - GIVE_UP_S:
                        player.say(said)
        after, passed_s = self._process.cpu_times(), time.monotonic() - began_s
        self.rest()
        spent_s = after.user + after.system - before.user - before.system
        return {
            **self.span(began_s, began_s + passed_s),
            "per_s": count / passed_s,
            "client_core": spent_s / passed_s,
        }

    def follow(self, orders: int) -> None:
        """Follow orders from this file descriptor until it ends; speak meanwhile, if told to."""
        self._epoll.register(orders, select.EPOLLIN)
        waiting = b""
        while True:
            self._read(self._until_due_s())
            self._say_due()
            if not select.select([orders], [], [], 0)[0]:
                continue
            data = os.read(orders, 1 << 16)
            if not data:
                return
            *lines, waiting = (waiting + data).split(b"\n")
            for each in lines:
                what, arguments = json.loads(each)
                self._epoll.unregister(orders)  # an order may read players, too
                print(json.dumps(getattr(self, what)(**arguments)), flush=True)
                self._epoll.register(orders, select.EPOLLIN)

    def _until_due_s(self) -> float:
        return max(0.0, self._due_s - time.monotonic()) if self._line else 1.0

    def _say_due(self) -> None:
        while self._line and time.monotonic() >= self._due_s:
            self._turn = (self._turn + 1) % len(self._players)
            if self._players[self._turn].closed_s is None:
                self._players[self._turn].say(self._line)
            self._due_s += self._every_s

    def _read(self, timeout_s: float) -> list[tuple[Player, int]]:
        """Wait for something; who got something, and how many lines it answered."""
        if timeout_s > SLICE_S:  # epoll waits in whole milliseconds; select does not
            select.select([self._epoll.fileno()], [], [], timeout_s)
        found = []
        for fd, _ in self._epoll.poll(0):
            if player := self._by_fd.get(fd):
                found.append((player, player.read()))
                if player.closed_s is not None:
                    self._epoll.unregister(fd)
                    del self._by_fd[fd]
        return found

    def _wait_shown(self, players: Sequence[Player], text: bytes) -> None:
        unseen, deadline_s = set(players), time.monotonic() + LOGIN_S
        while unseen:
            if time.monotonic() > deadline_s or any(player.closed_s for player in unseen):
                shown = next(iter(unseen)).data[-200:]
                raise RuntimeError(f"{len(unseen)} players were not shown {text!r}; one saw {shown!r}")
            self._read(0.2)
            unseen -= {player for player in unseen if player.saw(text)}


class Door(NamedTuple):
    """How one logs in.

    Attributes:
        greeting: What a player is shown before it may say who it is.
        login: What it says then.
        shown: What it sees when it is in the game.
    """

    greeting: str
    login: str
    shown: str


class Seen(NamedTuple):
    """What the players saw of one span.

    Attributes:
        silence_s: The longest time in which nobody got an answer.
        wait_s: The longest that a line waited which was answered.
        waits: Of all lines that were answered.
    """

    silence_s: float
    wait_s: float
    waits: Spread
    sent: int
    lost: int
    doubled: int
    disordered: int
    disconnected: int


class Client(Ordered):
    """The players as the measurement sees them; a context manager."""

    def __init__(self) -> None:
        super().__init__("bench.peers.client")

    def seen(self, span: tuple[float, float]) -> Seen:
        """What they saw in this span of monotonic time."""
        told = self.order("span", begin_s=span[0], end_s=span[1])
        return Seen(**{**told, "waits": Spread(*told["waits"])})


def main() -> None:
    """Follow orders until there are no more."""
    Players().follow(0)


if __name__ == "__main__":
    main()
