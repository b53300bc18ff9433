"""When to start a process again that died without an order."""

from __future__ import annotations

FIRST_DELAY_S = 0.1
DELAY_S_MAX = 10.0


class Backoff:
    """Delays between restarts: none, 0.1 s, doubled each time up to 10 s.

    Attributes:
        attempts: Restarts since the last `reset`.
    """

    def __init__(self) -> None:
        self.attempts = 0

    def next_delay_s(self) -> float:
        """Seconds to wait before the next restart, which is counted."""
        delay_s = 0.0 if self.attempts == 0 else min(DELAY_S_MAX, FIRST_DELAY_S * 2.0 ** (self.attempts - 1))
        self.attempts = min(self.attempts + 1, 1000)
        return delay_s

    def reset(self) -> None:
        """The process did its work: its next death is a first one again."""
        self.attempts = 0
