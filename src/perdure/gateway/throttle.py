"""Failed logins make the next try wait; successful ones never do.

Failures are counted per key (an address, an account's name). The first few are free, then each makes the
key wait twice as long, up to a minute: an attacker gets a thousand guesses a day, and the owner of an
attacked account waits at most that minute. A success forgets the key, and so does a quiet quarter of an hour.
"""

from __future__ import annotations

import msgspec

DELAY_S_MAX = 60.0
FORGET_S = 900.0
KEYS_MAX = 10_000
"""The key that failed longest ago gives way."""


class Failures(msgspec.Struct):
    """A key's failures in a row, and when the last one was on the clock of the throttle's user."""

    count: int
    last_s: float


class Throttle:
    """Failures by key. `state` is plain data: hand it to a constructor to go on elsewhere."""

    def __init__(self, free: int, state: dict[str, Failures] | None = None) -> None:
        self.free = free
        self.state: dict[str, Failures] = state or {}

    def wait_s(self, key: str, now_s: float) -> float:
        """How long until the next try of this key counts; 0 if it may be made now."""
        failures = self.state.get(key)
        if failures is None or failures.count < self.free:
            return 0.0
        delay_s = min(2.0 ** min(failures.count - self.free, 16), DELAY_S_MAX)  # 2**1024 would not be a float
        return max(0.0, failures.last_s + delay_s - now_s)

    def failed(self, key: str, now_s: float) -> None:
        """Book a failed try."""
        before = self.state.pop(key, None)  # popped, so that the dict's order is the failures' order
        stale = before is None or now_s - before.last_s > FORGET_S
        self.state[key] = Failures(1 if stale or before is None else before.count + 1, now_s)
        while len(self.state) > KEYS_MAX:
            del self.state[next(iter(self.state))]

    def succeeded(self, key: str) -> None:
        """Forget the key's failures."""
        self.state.pop(key, None)
