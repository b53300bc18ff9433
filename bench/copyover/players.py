"""The players: probes, and a crowd. Each kind is a process of its own that follows orders.

A probe says a numbered line every 5 ms, whether the one before was answered or not, and notes how long each
waited for its own answer. One of a crowd says a line now and then. Answers are checked: each once, and in order.
"""

from __future__ import annotations

import gc
import resource
import select
import socket
import time
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

from bench.load import ANSWER
from bench.orders import Ordered, follow

WAIT_S = 120.0
LOGINS = 50
"""So many log in at the same time: a login's guest name is chosen one after the other anyway."""
SLICE_S = 0.0002


class Player:
    """One connection; times are monotonic.

    Attributes:
        sent_s, answered_s: Of each line; answers come in order.
        wrong: Answers that were not the next one.
    """

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), WAIT_S)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent_s, self.answered_s = array("d"), array("d")
        self.forgotten = self.wrong = 0
        self._data = b""

    def say(self, line: bytes) -> None:
        """Send the next numbered line."""
        self.sent_s.append(time.monotonic())
        self.sock.sendall(b"%s =%d;\r\n" % (line, self.forgotten + len(self.sent_s)))

    def read(self) -> None:
        """Take what has come.

        Raises:
            RuntimeError: The connection is over.
        """
        data = self.sock.recv(1 << 16)
        if not data:
            raise RuntimeError("the server closed a player's connection")
        self._data += data
        now_s, end = time.monotonic(), 0
        for found in ANSWER.finditer(self._data):
            end = found.end()
            if int(found[1]) == self.forgotten + len(self.answered_s) + 1:
                self.answered_s.append(now_s)
            else:
                self.wrong += 1
        self._data = self._data[end:]

    def saw(self, text: bytes) -> bool:
        """Whether it was shown this line, since the last time this was true."""
        _, found, rest = self._data.partition(text + b"\r\n")
        if found:
            self._data = rest
        return bool(found)

    @property
    def waiting(self) -> int:
        """Lines without an answer."""
        return len(self.sent_s) - len(self.answered_s)

    def forget(self) -> None:
        """What was measured so far; nothing waits."""
        self.forgotten += len(self.sent_s)
        self.sent_s, self.answered_s = array("d"), array("d")


class Players:
    """All players of this process; the methods are the orders."""

    def __init__(self) -> None:
        self._players: list[Player] = []
        self._by_fd: dict[int, Player] = {}
        self._epoll = select.epoll()
        gc.disable()  # a collection would look like a freeze of the server

    def connect(self, port: int, count: int) -> None:
        """Log so many guests in."""
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        while count:
            joining = [Player(port) for _ in range(min(count, LOGINS))]
            count -= len(joining)
            for player in joining:
                self._players.append(player)
                self._by_fd[player.sock.fileno()] = player
                self._epoll.register(player.sock, select.EPOLLIN)
                player.sock.sendall(b"guest\r\n")
            self._wait_shown([(player, b"in r0") for player in joining])

    def spread(self, rooms: Sequence[str]) -> None:
        """Send everybody to one of these rooms, in turn; they are not there yet."""
        places = [rooms[number % len(rooms)].encode() for number in range(len(self._players))]
        for player, room in zip(self._players, places, strict=True):
            player.sock.sendall(b"go %s\r\n" % room)
        self._wait_shown([(p, b"in " + room) for p, room in zip(self._players, places, strict=True)])

    def speak(self, line: str, every_s: float) -> dict[str, Any]:
        """Each says this line so often, evenly spread, until the next order comes; NUMBER in it varies."""
        template, count = line.encode(), len(self._players)
        began_s, turn = time.monotonic(), 0
        self._epoll.register(0, select.EPOLLIN)
        while True:
            due_s = began_s + turn * every_s / count
            for fd, _ in self._wait(due_s):
                if fd == 0:
                    self._epoll.unregister(0)
                    return self._finish()
                self._by_fd[fd].read()
            now_s = time.monotonic()
            while now_s >= began_s + turn * every_s / count:
                self._players[turn % count].say(template.replace(b"NUMBER", b"%d" % (turn * 7919 % 1_000_003)))
                turn += 1

    def stop(self) -> None:
        """Nothing: that it comes ends `speak`."""

    def spans(self, spans: Sequence[tuple[float, float]]) -> list[list[Any]]:
        """For each span of time: the longest wait of each player that reaches into it, and waits that began in it."""
        return [[[_longest_s(player, *span) for player in self._players], self._waits_s(*span)] for span in spans]

    def forget(self) -> None:
        """Measure anew."""
        for player in self._players:
            player.forget()
        gc.collect()

    def _waits_s(self, begin_s: float, end_s: float) -> list[float]:
        return [
            player.answered_s[index] - player.sent_s[index]
            for player in self._players
            for index in range(bisect_left(player.sent_s, begin_s), bisect_left(player.sent_s, end_s))
        ]

    def _finish(self) -> dict[str, Any]:
        deadline_s = time.monotonic() + WAIT_S
        while (waiting := sum(player.waiting for player in self._players)) and time.monotonic() < deadline_s:
            for fd, _ in self._epoll.poll(1.0):
                self._by_fd[fd].read()
        said = sum(player.forgotten + len(player.sent_s) for player in self._players)
        return {"said": said, "lost": waiting, "wrong": sum(player.wrong for player in self._players)}

    def _wait(self, until_s: float) -> list[tuple[int, int]]:
        """Events, or none by then. Epoll waits in whole milliseconds; select, which does not, goes first."""
        left_s = until_s - time.monotonic()
        if left_s > SLICE_S:
            select.select([self._epoll.fileno()], [], [], left_s)
        return self._epoll.poll(0)

    def _wait_shown(self, expected: list[tuple[Player, bytes]]) -> None:
        unseen = dict(expected)
        deadline_s = time.monotonic() + WAIT_S
        while unseen:
            if time.monotonic() > deadline_s:
                raise RuntimeError(f"{len(unseen)} players did not arrive")
            for fd, _ in self._epoll.poll(1.0):
                player = self._by_fd[fd]
                player.read()
                if player in unseen and player.saw(unseen[player]):
                    del unseen[player]


def _longest_s(player: Player, begin_s: float, end_s: float) -> float:
    """The longest wait of a line that was said by the end, and not answered before the beginning."""
    indices = range(bisect_left(player.answered_s, begin_s), bisect_left(player.sent_s, end_s))
    return max((player.answered_s[index] - player.sent_s[index] for index in indices), default=0.0)


class Span(NamedTuple):
    """What the players saw in a span of time, in seconds.

    Attributes:
        longest_s: The longest wait of each player that reaches into it.
        waits_s: How long the lines waited that were said in it.
    """

    longest_s: list[float]
    waits_s: list[float]


class PlayersProcess(Ordered):
    """Players as the measurement sees them; a context manager. They log in when it begins.

    Args:
        spread: Rooms among which they are to be; none: all are in the first.
    """

    def __init__(self, port: int, count: int, spread: Sequence[str] = ()) -> None:
        super().__init__("bench.copyover.players")
        self._port, self._count, self._spread = port, count, spread

    def __enter__(self) -> Self:
        super().__enter__()
        self.order("connect", port=self._port, count=self._count)
        if self._spread:
            self.order("spread", rooms=list(self._spread))
        return self

    def speak(self, line: str, every_s: float) -> None:
        """Let them speak until `stop`."""
        self.give("speak", line=line, every_s=every_s)

    def stop(self) -> None:
        """Let them be silent.

        Raises:
            RuntimeError: A line of theirs was lost, doubled, or out of order.
        """
        self.give("stop")
        told, _ = self.result(), self.result()
        if told["lost"] or told["wrong"]:
            raise RuntimeError(f"players saw what must not be: {told}")

    def spans(self, spans: Sequence[tuple[float, float]]) -> list[Span]:
        """What they saw in these spans of monotonic time."""
        return [Span(*each) for each in self.order("spans", spans=list(spans))]


def main() -> None:
    """Follow orders until there are no more."""
    follow(Players())


if __name__ == "__main__":
    main()
