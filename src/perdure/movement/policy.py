"""When a running room takes new code: the update policy of its game."""

from __future__ import annotations

from perdure.movement.report import Update


def may_swap(policy: Update, *, seats: int, started: bool, match_over: bool) -> bool:
    """Whether a room may take new code at this quiescent point.

    Args:
        policy: now: always. idle: when nobody is in it. match: when its match is over, or nobody is in it.
        seats: How many players are in it.
        started: Whether it ever ran a callback; a room that did not has nothing to disturb.
        match_over: Whether the game said so in the last callback (`room.match_over()`).
    """
    if policy == "now" or not started or not seats:
        return True
    return policy == "match" and match_over
