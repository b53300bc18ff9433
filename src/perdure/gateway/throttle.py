"""What may be done how often: failed logins make the next try wait, and so does very much that is sent.

A login that succeeds never waits. Failures are counted per key (an address, an account's name). The first few are
free, then each makes the key wait twice as long, up to a minute: an attacker gets a thousand guesses a day, and the
owner of an attacked account waits at most that minute. A success forgets the key, and so does a quiet quarter of an
hour. New accounts are counted in the same way, but for a day and up to an hour: they stay.

Lines are counted per address, and so, in a book of their own, are asides: whatever else a client's program sends.
Nothing is ever dropped: a line that comes too early is taken later, and whoever sent too many asides is read later.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from perdure.gateway.limits import Limits

DELAY_S_MAX = 60.0
FORGET_S = 900.0
KEYS_MAX = 10_000
"""The key that failed, or sent something, longest ago gives way."""
SLACK = 1e-3
"""Of the time for one: sums of floats are never exact, and a wait of nothing would be waited for."""


class Failures(msgspec.Struct):
    """A key's failures in a row, and when the last one was on the clock of the throttle's user."""

    count: int
    last_s: float


class Throttle:
    """Failures by key. `state` is plain data: hand it to a constructor to go on elsewhere.

    Args:
        free: Failures after which the next one has to wait.
        limited: Whether a key has to wait at all.
        delay_s_max: How long at most.
        forget_s: So long after its last failure a key is free again.
    """

    def __init__(
        self,
        free: int,
        state: dict[str, Failures] | None = None,
        *,
        limited: Callable[[str], bool] = lambda _: True,
        delay_s_max: float = DELAY_S_MAX,
        forget_s: float = FORGET_S,
    ) -> None:
        self.free, self.limited = free, limited
        self._delay_s_max, self._forget_s = delay_s_max, forget_s
        self.state: dict[str, Failures] = state or {}

    def wait_s(self, key: str, now_s: float) -> float:
        """How long until the next try of this key counts; 0 if it may be made now."""
        failures = self.state.get(key)
        if failures is None or failures.count < self.free or not self.limited(key):
            return 0.0
        delay_s = min(2.0 ** min(failures.count - self.free, 16), self._delay_s_max)  # 2**1024 would not be a float
        return max(0.0, delay_s - (now_s - failures.last_s))

    def failed(self, key: str, now_s: float) -> None:
        """Book a failed try."""
        before = self.state.pop(key, None)  # popped, so that the dict's order is the failures' order
        stale = before is None or now_s - before.last_s > self._forget_s
        self.state[key] = Failures(1 if stale or before is None else before.count + 1, now_s)
        while len(self.state) > KEYS_MAX:
            del self.state[next(iter(self.state))]

    def succeeded(self, key: str) -> None:
        """Forget the key's failures."""
        self.state.pop(key, None)


class Rates:
    """Lines, or asides, by address: a burst after a silence, and a steady rate in the long run.

    Args:
        per_line: How many stand for a line.

    Attributes:
        state: Of each address that sent something lately, when its burst will be free again as a whole.
    """

    def __init__(self, limits: Limits, per_line: int = 1) -> None:
        self._limits = limits
        self._each_s = 1.0 / (limits.lines_per_s * per_line)
        self._burst_s = limits.lines_burst / limits.lines_per_s
        self.state: dict[str, float] = {}

    def wait_s(self, address: str, now_s: float) -> float:
        """How long until one more of this address may be taken; 0: it may now, and is booked."""
        if not self._limits.limited(address):
            return 0.0
        early_s = self._early_s(address, 1, now_s)
        if early_s <= 0:
            self._book(address, 1, now_s)
        return early_s

    def spent(self, address: str, count: int, now_s: float) -> float:
        """Book so many that were taken already; how long until the address is within its burst again."""
        if not self._limits.limited(address):
            return 0.0
        self._book(address, count, now_s)
        return self._early_s(address, 0, now_s)

    def _early_s(self, address: str, count: int, now_s: float) -> float:
        early_s = max(self.state.get(address, now_s) - now_s, 0.0) + count * self._each_s - self._burst_s
        return early_s if early_s > self._each_s * SLACK else 0.0

    def _book(self, address: str, count: int, now_s: float) -> None:
        before_s = self.state.pop(address, now_s)  # popped, so that the dict's order is that of the last ones
        self.state[address] = max(before_s, now_s) + count * self._each_s
        while len(self.state) > KEYS_MAX:
            del self.state[next(iter(self.state))]
