"""Canaries: which rooms try new code first, and whether what was seen of them speaks against it.

The verdict compares the rooms that moved with those that did not, over the same time: so what the machine or
the players do to both counts for neither. Faults are compared as shares of callbacks, tick times as 99th
percentiles. The bounds below are chosen so that ordinary noise between two halves of the same code passes.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from typing import NamedTuple

from perdure.movement.report import Measured

TICK_FACTOR_MAX = 2.0
"""A tick may become so many times slower …"""
TICK_SLACK_MS = 1.0
"""… and by this much: below it lies what scheduling alone does to two halves of the same code."""
FAULTS_FACTOR_MAX = 2.0
"""Where the old code faults already, the new code's share of faults may be so many times higher."""
CALLBACKS_MIN = 20
"""Fewer callbacks have no 99th percentile worth comparing."""


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
    bound_ms = unmoved.tick_p99_ms * TICK_FACTOR_MAX + TICK_SLACK_MS
    comparable = min(moved.callbacks, unmoved.callbacks) >= CALLBACKS_MIN
    if comparable and moved.tick_p99_ms > bound_ms:
        return Verdict(False, f"{_ticks(moved, unmoved)}; at most {bound_ms:.1f} ms would have been taken.")
    if not moved.callbacks:
        return Verdict(True, "nothing ran in them meanwhile, so nothing speaks against it.")
    return Verdict(
        True, f"{_faults(moved)} with the new code, {_faults(unmoved)} with the old; {_ticks(moved, unmoved)}."
    )


def _share(side: Measured) -> float:
    return side.faults / max(1, side.callbacks)


def _faults(side: Measured) -> str:
    faults = "1 fault" if side.faults == 1 else f"{side.faults or 'no'} faults"
    return f"{faults} in {side.callbacks:,} callbacks"


def _ticks(moved: Measured, unmoved: Measured) -> str:
    return f"the slowest 1 % of callbacks takes {moved.tick_p99_ms:.1f} ms instead of {unmoved.tick_p99_ms:.1f} ms"
