"""What a host was executing when it died, and when that is enough to put a room aside."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from perdure.ports import Aside
from perdure.slot import Executing, Slot

OVER_BUDGET_MS = 1000
"""A callback that runs this much longer than its budget could not be cut inside its host."""
ROOMS_MAX = 1000
"""Rooms whose last deaths are remembered, the newest."""
SEEN_MIN = 2
"""Looks at one overdue callback before its host is killed: a machine that slept wakes up with old clocks."""


class DeathRecord:
    """What killed the hosts of a server last, for each room: whichever host has the room then, it is one record."""

    def __init__(self) -> None:
        self._last: dict[str, Executing] = {}

    def count(self, executing: Executing) -> bool:
        """Note a death on this slot; whether the one before on a callback of the room was on the same."""
        last = self._last.pop(executing.room, None)
        self._last[executing.room] = executing
        if len(self._last) > ROOMS_MAX:
            del self._last[next(iter(self._last))]
        return last is not None and _same(last, executing)


class DeathWatch:
    """The executing slot of one host, over all its incarnations.

    Args:
        monotonic_ns: CLOCK_MONOTONIC, as the slot has it.
        record: The server's, which all its hosts share.

    Attributes:
        fd: The memfd; every incarnation inherits it.
        record: Where its deaths are counted.
    """

    def __init__(self, monotonic_ns: Callable[[], int] = time.monotonic_ns, record: DeathRecord | None = None) -> None:
        self.fd = Slot.create()
        self._slot = Slot(self.fd)
        self._now_ns = monotonic_ns
        self.record = record or DeathRecord()
        self._overdue: tuple[Executing | None, int] = (None, 0)

    def overdue(self) -> Executing | None:
        """The callback that must be ended by killing its host; to be asked a few times a second."""
        executing = self._slot.read()
        seen, times = self._overdue
        if executing is None or not self._is_late(executing):
            self._overdue = (None, 0)
            return None
        times = times + 1 if executing == seen else 1
        self._overdue = (executing, times)
        return executing if times >= SEEN_MIN else None

    def died(self) -> tuple[Executing | None, bool]:
        """The host died without an order.

        Returns: what it was executing (an empty slot counts nothing), and whether that killed twice in a row.
        """
        executing = self._slot.read()
        self._slot.clear()
        self._overdue = (None, 0)
        if executing is None:
            return None, False
        return executing, self.record.count(executing)

    def stopped(self) -> None:
        """The host ended as ordered: what it did counts nothing."""
        self._slot.clear()

    def close(self) -> None:
        self._slot.close()
        os.close(self.fd)

    def _is_late(self, executing: Executing) -> bool:
        return self._now_ns() - executing.started_ns > (executing.budget_ms + OVER_BUDGET_MS) * 1_000_000


def _same(one: Executing, other: Executing) -> bool:
    """Whether both are the same input.

    An event is applied at most once, so it is known by its seat and number even if wakes and timers moved
    the callback number on in between; any other cause is known by its callback number.
    """
    if one.n < 0 or other.n < 0:
        return one.identity == other.identity
    return (one.room, one.session, one.j, one.n) == (other.room, other.session, other.j, other.n)


def aside_of(executing: Executing, how: str, now_us: int) -> Aside:
    """The entry of the aside list for a callback that killed its host twice."""
    cause = f"input {executing.n} of session {executing.session}" if executing.n >= 0 else "a callback without input"
    return Aside(
        room=executing.room,
        reason=f"its host died twice in callback {executing.c} on {cause} ({how})",
        c=executing.c,
        session=executing.session,
        j=executing.j,
        n=executing.n,
        since_us=now_us,
    )
