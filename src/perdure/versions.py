"""Which versions of each protocol and format this program speaks: the one table, and what is said when two share none.

A release speaks its own version and the one before; what it writes can be read by the one before until a
copyover has committed. docs/reference/versions.md has the rules for changing one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Versions(NamedTuple):
    """All versions from `lowest` to `highest`. A tuple, so that it travels as ``[lowest, highest]``."""

    lowest: int
    highest: int

    def has(self, version: int) -> bool:
        """Whether `version` is one of them."""
        return self.lowest <= version <= self.highest

    @property
    def numbers(self) -> str:
        """For people: "1", "1 to 2"."""
        return str(self.lowest) if self.lowest == self.highest else f"{self.lowest} to {self.highest}"

    def __str__(self) -> str:
        return f"version{'s' * (self.lowest != self.highest)} {self.numbers}"


LINK = Versions(1, 2)
"""Between gateway and host. 2: a host says in its hello which build it is."""
CONTROL = Versions(1, 2)
"""Between the processes, and with the command line. 2: hosts hand rooms over, gateways announce and watch it."""
SNAPSHOT = Versions(1, 1)
"""Layout of a sealed snapshot's body."""
JOURNAL = Versions(1, 1)
"""Layout of a journal's frames and of the records in them."""
OWNERS = Versions(2, 2)
"""Schema of the owner database. 2: which generation serves, and which is on trial."""
STATE = Versions(1, 1)
"""Layout of the state folder."""

SPOKEN: Mapping[str, Versions] = {"link": LINK, "control": CONTROL, "snapshot": SNAPSHOT, "journal": JOURNAL}
"""What a process says of itself, so that another may know before it depends on it."""
FIRST = Versions(1, 1)
"""What a process speaks that says nothing: the program before this table."""
NOTHING = Versions(0, 0)
"""No version is 0."""
MOVING = Versions(2, CONTROL.highest)
"""The versions of control in which a host can be asked to take a room, or to give one away."""


def overlap(ours: Versions, theirs: Versions) -> Versions | None:
    """The versions that both speak; None if there are none. Both use the highest."""
    common = Versions(max(ours.lowest, theirs.lowest), min(ours.highest, theirs.highest))
    return common if common.lowest <= common.highest else None


def refusal(what: str, one: str, ours: Versions, other: str, theirs: Versions) -> str:
    """Why two sides cannot work together, "" if they can.

    Args:
        what: Name of the protocol or format.
        one, other: What people call the two sides.
    """
    if overlap(ours, theirs):
        return ""
    return f"{one} speaks {what} {ours}, and {other} {theirs}: they have none in common"


def spoken(said: Mapping[str, Sequence[int]], what: str) -> Versions:
    """What a process that said `said` speaks of `what`; what is no range is taken for nothing at all."""
    found = said.get(what) or FIRST
    return Versions(*found) if len(found) == 2 else NOTHING


def successor_refusal(
    successor: Mapping[str, Sequence[int]], host: Mapping[str, Sequence[int]], gateway: Mapping[str, Sequence[int]]
) -> str:
    """Why rooms cannot move from a host to its successor under a running gateway and this supervisor, "" if they can.

    Args:
        successor, host, gateway: What each said of itself; see `SPOKEN`.
    """
    new, old = "the successor", "the old host"
    refusals = (
        refusal("control", new, spoken(successor, "control"), "the supervisor", CONTROL),
        refusal("control", new, spoken(successor, "control"), "moving rooms takes", MOVING),
        refusal("control", old, spoken(host, "control"), "moving rooms takes", MOVING),
        refusal("link", new, spoken(successor, "link"), "the running gateway", spoken(gateway, "link")),
        *(refusal(what, new, spoken(successor, what), old, spoken(host, what)) for what in ("snapshot", "journal")),
    )
    why = next(filter(None, refusals), "")
    return why and f"{why}. Nothing was changed. Go by a version in between, or stop the server and start the new one."
