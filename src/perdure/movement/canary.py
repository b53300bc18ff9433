"""Canaries: which rooms try new code first, and whether what was seen of them speaks against it.

The verdict compares the rooms that moved with those that did not, over the same time: so what the machine or
the players do to both counts for neither. Faults are compared as shares of callbacks, tick times by their median
and their 99th percentile. What the machine does to one side alone looks like slow code, and it comes in turns of the
processor: a few callbacks wait for several milliseconds, and the median stays. So the slowest 1 % has a wide bound and
the median a narrow one, and two halves of the same code pass on a busy machine, too.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from typing import NamedTuple

from perdure.movement.report import Measured

TICK_FACTOR_MAX = 2.0
"""A tick may become so many times slower …"""
P50_SLACK_MS = 1.0
"""… and the median by this much more: that is a small part of the time between two ticks at 20 Hz …"""
P99_SLACK_MS = 10.0
"""… and the slowest 1 % by this much: no player notices it, and it is what a busy machine does to two halves of the
same code (2 to 4 ms were seen with twice as many busy processes as processors)."""
FAULTS_FACTOR_MAX = 2.0
"""Where the old code faults already, the new code's share of faults may be so many times higher."""
P50_CALLBACKS_MIN = 20
"""Fewer callbacks have no median worth comparing …"""
P99_CALLBACKS_MIN = 200
"""… and of fewer than these the slowest 1 % is a single one, or two."""


class Verdict(NamedTuple):
    """Whether the other rooms follow, and why."""

    go_on: bool
    reason: str


def choose(rooms: Iterable[str], percent: float, generation: str) -> list[str]:
    """The rooms that try the new code first: at least one, and never all.

    The same rooms and the same generation give the same choice; another generation another one, so that it is
    not always the same players who try.

    Args:
        rooms: Ids of all running rooms of the game.
        percent: From 1 to 99.
        generation: Id of the new code.
    """
    ordered = sorted(rooms, key=lambda room: hashlib.blake2b(f"{generation} {room}".encode(), digest_size=8).digest())
    count = min(max(1, math.ceil(len(ordered) * percent / 100)), len(ordered) - 1)
    return sorted(ordered[: max(0, count)])


def judge(moved: Measured, unmoved: Measured) -> Verdict:
    """Whether what was seen while watching lets the others follow.

    Rooms in which nothing ran say nothing against the code.
    """
    new, old = _share(moved), _share(unmoved)
    if moved.faults and new > old * FAULTS_FACTOR_MAX:
        return Verdict(False, f"{_faults(moved)} with the new code, {_faults(unmoved)} with the old.")
    for what, new_ms, old_ms, slack_ms, least in (
        ("the median callback", moved.tick_p50_ms, unmoved.tick_p50_ms, P50_SLACK_MS, P50_CALLBACKS_MIN),
        ("the slowest 1 % of callbacks", moved.tick_p99_ms, unmoved.tick_p99_ms, P99_SLACK_MS, P99_CALLBACKS_MIN),
    ):
        bound_ms = old_ms * TICK_FACTOR_MAX + slack_ms
        is_known = old_ms > 0.0  # an older program does not tell its median, and no callback takes no time
        if is_known and new_ms > bound_ms and min(moved.callbacks, unmoved.callbacks) >= least:
            took = f"{what} takes {new_ms:.1f} ms instead of {old_ms:.1f} ms"
            return Verdict(False, f"{took}; at most {bound_ms:.1f} ms would have been taken.")
    if not moved.callbacks:
        return Verdict(True, "nothing ran in them meanwhile, so nothing speaks against it.")
    return Verdict(
        True,
        f"{_faults(moved)} with the new code, {_faults(unmoved)} with the old; the median callback takes "
        f"{moved.tick_p50_ms:.1f} ms instead of {unmoved.tick_p50_ms:.1f} ms, the slowest 1 % "
        f"{moved.tick_p99_ms:.1f} ms instead of {unmoved.tick_p99_ms:.1f} ms.",
    )


def _share(side: Measured) -> float:
    return side.faults / max(1, side.callbacks)


def _faults(side: Measured) -> str:
    faults = "1 fault" if side.faults == 1 else f"{side.faults or 'no'} faults"
    return f"{faults} in {side.callbacks:,} callbacks"
