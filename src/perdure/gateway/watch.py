"""What a movement costs the players, as their gateway sees it: how long their lines waited, and who was lost.

A line waits from the moment in which it was submitted until its room has acknowledged it. Acknowledgements come in
order, so of a session's lines that wait it is always the oldest ones that are done: it is enough to know when each
was submitted, and how many are still in the tail. Nothing of this is kept, or costs anything, while nobody watches.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any

from perdure.link.gateway import Presence
from perdure.room.record import Input

WAITS_MAX = 100_000
"""Waits kept for the percentiles, the newest ones; the longest is known whatever their number."""


class Watch:
    """One movement, watched from here on.

    Args:
        clock_s: A clock in seconds that only rises.
        players: Ids of the sessions that have a player.
        seats: The gateway's seats; lines that wait already are counted from now.
    """

    def __init__(self, clock_s: Callable[[], float], players: Iterable[str], seats: Mapping[str, Presence]) -> None:
        self._clock_s, self._seats = clock_s, seats
        self._players = frozenset(players)
        self._lost: set[str] = set()
        self._waits_s: deque[float] = deque(maxlen=WAITS_MAX)
        self._longest_s = 0.0
        now_s = clock_s()
        self._since_s = {id: deque([now_s] * count) for id, seat in seats.items() if (count := _inputs(seat))}

    @property
    def sessions(self) -> int:
        """How many players there were when it began."""
        return len(self._players)

    def submitted(self, session: str) -> None:
        """A line of this session is in its tail now."""
        self._since_s.setdefault(session, deque()).append(self._clock_s())

    def settled(self) -> None:
        """Something was acknowledged. Whoever waits no longer has waited until now."""
        now_s = self._clock_s()
        for session, since_s in list(self._since_s.items()):
            seat = self._seats.get(session)
            if seat is None:
                del self._since_s[session]  # it is over, and with it whatever was not applied
                continue
            for _ in range(len(since_s) - _inputs(seat)):
                self._waited(now_s - since_s.popleft())
            if not since_s:
                del self._since_s[session]

    def lost(self, session: str) -> None:
        """The session, or its connection, ended by no doing of its player."""
        self._lost.add(session)

    def report(self, present: Container[str]) -> dict[str, Any]:
        """What came of it; lines that still wait have waited until now.

        Args:
            present: Ids of the sessions that are there.
        """
        self.settled()
        now_s = self._clock_s()
        for since_s in self._since_s.values():
            for began_s in since_s:
                self._waited(now_s - began_s)
        waits_s = sorted(self._waits_s)
        return {
            "kept": sum(1 for id in self._players if id in present and id not in self._lost),
            "lost": len(self._lost),
            "longest_wait_ms": _ms(self._longest_s),
            "waits": {"p50": _ms(_percentile(waits_s, 0.5)), "p99": _ms(_percentile(waits_s, 0.99))},
        }

    def _waited(self, wait_s: float) -> None:
        self._waits_s.append(wait_s)
        self._longest_s = max(self._longest_s, wait_s)


def _inputs(seat: Presence) -> int:
    return sum(type(body) is Input for _, body in seat.tail)


def _percentile(ordered: list[float], share: float) -> float:
    """The smallest value that is not exceeded by that share of them (nearest rank); 0 if there are none."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 3)
