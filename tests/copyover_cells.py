"""What a copyover comes to when a fault hits it at a step: every state with every fault, as data.

From the move and its crash table in `docs/protocols.md`. A fault hits when the step begins. The simulated world and
the tests with real processes check the same table. What a cell says:

========== ===================================================================================================
word       what comes of it
========== ===================================================================================================
none       it cannot happen in this state
on         nothing changes: the server, or the movement, goes on
refused    whoever asks is told the state of the movement that is under way, which goes on
aborted    outcome ``aborted`` at that step; every room runs in the old host, as before
partial    outcome ``partial``: rooms that were committed are recovered by another host, the old host keeps the rest
committed  outcome ``committed``: every room runs in the successor
recovered  the old host is gone: each room has one owner, the successor or whoever recovered it
rows       nobody is there to say what came of it: each room runs where its owner row says
stopped    the server stops in order: what was not committed is cancelled, what was is finished
waits      as aborted, once the disk takes a claim again; until then the room in question stands still
========== ===================================================================================================

Two words with a slash: the fault hits before any room was committed / after some were.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

FAULTS = (
    "successor-exits", "successor-raises", "successor-hangs", "successor-killed", "successor-refuses-version",
    "successor-out-of-descriptors", "successor-out-of-memory", "old-killed", "supervisor-killed", "disk-full",
    "client-connects", "client-drops", "client-half-sends", "second-request", "sigterm",
)  # fmt: skip

PREPARING = ("build", "boot", "prepare")
MOVING = ("stop", "offer", "verify", "commit", "route", "release")
STATES = ("idle", "scheduled", *PREPARING, *MOVING, "recovering")


class Expected(NamedTuple):
    """What comes of a fault before any room was committed, and after some were."""

    first: str
    later: str


# In the order of FAULTS: the successor exits, raises, hangs, .., memory; old, supervisor, disk; clients; second; term
_TABLE = """
idle       none      none      none      none      none    none      none       recovered  on    on       on on on on      stopped
scheduled  none      none      none      none      none    none      none       recovered  rows  on       on on on refused stopped
build      aborted   aborted   aborted   aborted   none    aborted   aborted    recovered  rows  aborted  on on on refused stopped
boot       aborted   aborted   aborted   aborted   aborted aborted   aborted    recovered  rows  aborted  on on on refused stopped
prepare    aborted   aborted   aborted   aborted   none    aborted   aborted    recovered  rows  aborted  on on on refused stopped
stop       aborted/partial   on   aborted/partial   aborted/partial   none   on   aborted/partial   recovered  rows  on                on on on refused stopped
offer      aborted/partial   on   aborted/partial   aborted/partial   none   on   aborted/partial   recovered  rows  on                on on on refused stopped
verify     aborted/partial   aborted/partial   aborted/partial   aborted/partial   none   aborted/partial   aborted/partial   recovered  rows  aborted/partial   on on on refused stopped
commit     aborted/partial   aborted/partial   aborted/partial   aborted/partial   none   aborted/partial   aborted/partial   recovered  rows  waits/partial     on on on refused stopped
route      partial   partial   partial   partial   none    on        partial    recovered  rows  on       on on on refused stopped
release    partial   on        partial   partial   none    on        partial    recovered  rows  on       on on on refused stopped
recovering partial   partial   partial   partial   none    partial   partial    recovered  rows  waits    on on on refused stopped
"""  # noqa: E501  (a table is read by its lines)


def _read(table: str) -> Mapping[tuple[str, str], Expected]:
    cells = {}
    for line in table.strip().splitlines():
        state, *words = line.split()
        for fault, word in zip(FAULTS, words, strict=True):
            first, _, later = word.partition("/")
            cells[state, fault] = Expected(first, later or first)
    return cells


CELLS = _read(_TABLE)
"""(state, fault) -> what is expected."""
