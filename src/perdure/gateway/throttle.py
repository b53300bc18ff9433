"""What may be done how often: failed logins make the next try wait, and so does very much that is sent.

Failures are counted per key (an address, an account's name). The first few are free, then each makes the key wait
twice as long, up to a minute, also with the right password: an attacker gets a thousand guesses a day, and the owner
of an attacked account waits at most that minute after each. A login that succeeds forgets the failures of its name,
for its address, too, but none of another name; a quiet quarter of an hour forgets a key. New accounts are counted in
the same way, but for a day and up to an hour: they stay.

Lines are counted per address, and so, in a book of their own, are asides: whatever else a client's program sends.
Nothing is ever dropped: a line that comes too early is taken later, and whoever sent too many asides is read later.

What is counted for an address is counted for its network as well, which may have `NETWORK_SHARE` times as much.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from perdure.gateway.limits import NETWORK_SHARE, Limits, books, network

DELAY_S_MAX = 60.0
FORGET_S = 900.0
KEYS_MAX = 10_000
"""The key that failed, or sent something, longest ago gives way."""
ARREARS_S_MAX = 10.0
"""Longest wait for asides that were taken already: also for who shares an address with a flood. A flood has one read
of 4 KiB from each of its connections in that time."""
SLACK = 1e-3
"""Of the time for one: sums of floats are never exact, and a wait of nothing would be waited for."""

Value = TypeVar("Value")


class Failures(msgspec.Struct):
    """A key's failures in a row, and when the last one was on the clock of the throttle's user."""

    count: int
    last_s: float


class Throttle:
    """Failures by key. `state` is plain data: hand it to a constructor to go on elsewhere.

    Args:
        free: Failures after which the next one has to wait.
        limited: Whether a key has to wait at all.
        addresses: Whether the keys are addresses, which have networks.
        delay_s_max: How long at most.
        forget_s: So long after its last failure a key is free again.
    """

    def __init__(
        self,
        free: int,
        state: dict[str, Failures] | None = None,
        *,
        limited: Callable[[str], bool] = lambda _: True,
        addresses: bool = False,
        delay_s_max: float = DELAY_S_MAX,
        forget_s: float = FORGET_S,
    ) -> None:
        self.free, self.limited, self._addresses = free, limited, addresses
        self._delay_s_max, self._forget_s = delay_s_max, forget_s
        self.state: dict[str, Failures] = state or {}

    def wait_s(self, key: str, now_s: float) -> float:
        """How long until the next try of this key counts; 0 if it may be made now."""
        if not self.limited(key):
            return 0.0
        frees = (self.free, self.free * NETWORK_SHARE)
        return max(self._wait_s(each, free, now_s) for each, free in zip(self._books(key), frees, strict=False))

    def failed(self, key: str, now_s: float) -> None:
        """Book a failed try."""
        for each in self._books(key):
            self._book(each, now_s)

    def forgive(self, key: str, count: int) -> None:
        """Take back so many of the key's failures."""
        for each in self._books(key):
            if (failures := self.state.get(each)) is not None:
                failures.count -= count
                if failures.count <= 0:
                    del self.state[each]

    def succeeded(self, key: str) -> int:
        """Forget the key's failures; how many there were."""
        failures = self.state.pop(key, None)
        return failures.count if failures is not None else 0

    def _books(self, key: str) -> list[str]:
        return books(key) if self._addresses else [key]

    def _wait_s(self, key: str, free: int, now_s: float) -> float:
        failures = self.state.get(key)
        if failures is None or failures.count < free:
            return 0.0
        delay_s = min(2.0 ** min(failures.count - free, 16), self._delay_s_max)  # 2**1024 would not be a float
        return max(0.0, delay_s - (now_s - failures.last_s))

    def _book(self, key: str, now_s: float) -> None:
        before = self.state.get(key)
        stale = before is None or now_s - before.last_s > self._forget_s
        _book_last(self.state, key, Failures(1 if stale or before is None else before.count + 1, now_s))


class Rates:
    """Lines, or asides, by address: a burst after a silence, and a steady rate in the long run.

    Args:
        per_line: How many stand for a line.

    Attributes:
        state: Of each address and network that sent something lately, when its burst will be free again as a whole.
    """

    def __init__(self, limits: Limits, per_line: int = 1) -> None:
        self._limits = limits
        self._each_s = 1.0 / (limits.lines_per_s * per_line)
        self._burst_s = limits.lines_burst / limits.lines_per_s
        self._slack_s = self._each_s * SLACK
        self.state: dict[str, float] = {}

    def wait_s(self, address: str, now_s: float) -> float:
        """How long until one more of this address may be taken; 0: it may now, and is booked."""
        return self._early_s(address, 1, now_s, taken=False) if self._limits.limited(address) else 0.0

    def spent(self, address: str, count: int, now_s: float) -> float:
        """Book so many that were taken already; how long until the address is within its burst again, 10 s at most."""
        return self._early_s(address, count, now_s, taken=True) if self._limits.limited(address) else 0.0

    def _early_s(self, address: str, count: int, now_s: float, *, taken: bool) -> float:
        """How long before their time so many more are; they are booked if they are not, or `taken` already."""
        wide, cost_s = network(address), count * self._each_s
        free_s = max(self.state.get(address, now_s), now_s) + cost_s
        wide_free_s = max(self.state.get(wide, now_s), now_s) + cost_s / NETWORK_SHARE if wide else 0.0
        if taken:
            latest_s = now_s + self._burst_s + ARREARS_S_MAX
            free_s, wide_free_s = min(free_s, latest_s), min(wide_free_s, latest_s)
        early_s = max(free_s, wide_free_s) - now_s - self._burst_s
        is_early = early_s > self._slack_s
        if taken or not is_early:
            _book_last(self.state, address, free_s)
            if wide:
                _book_last(self.state, wide, wide_free_s)
        return early_s if is_early else 0.0


def _book_last(state: dict[str, Value], key: str, value: Value) -> None:
    """Book a key as the last one; those that were booked longest ago give way."""
    state.pop(key, None)  # popped, so that the dict's order is that in which they were booked
    state[key] = value
    while len(state) > KEYS_MAX:
        del state[next(iter(state))]
