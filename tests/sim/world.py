"""The model's world: one frozen value, and what a scenario puts into it."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from perdure.ports import Owner
from tests.sim.parts import Base, Swap

END_OF_LINK = b""
"""Last item of a link whose other side died."""


class Player(NamedTuple):
    """Who plays, behind which gateway, and what they type: lines as `toy` reads them, or ``quit``."""

    session: str
    gateway: int
    room: str
    lines: tuple[str, ...]


class Scenario(NamedTuple):
    """What a search explores.

    Attributes:
        players: All players; those of a later gateway enter when it begins.
        gateways: (name, epoch) in order of their beginning; one that shares its name with an earlier one begins
            when that one dies.
        rooms: Room -> the host that runs it first.
        hosts: How many there are; those that run nothing at first can recover rooms and take moves.
        crashes, moves, losses, breaks: How many times a host dies, a room is captured for a move, a host dies and
            records are lost, a link between two that live breaks.
        bases: How many times a base is stored while the room runs.
        flaws: How many copies for a move are not what they should be.
        ahead: Whether the successor of a move has copied the room when it began to follow it, or at any time since.
        swaps: The code that rooms take, in this order, whichever room and whenever.
        late: Whether a new owner stores no base when it takes a room: recovery may then go back over several owners.
        slow: Whether players' sockets take text when they please, not at once.
    """

    players: tuple[Player, ...]
    gateways: tuple[tuple[str, int], ...] = (("g", 1),)
    rooms: tuple[tuple[str, int], ...] = (("A", 0),)
    hosts: int = 1
    crashes: int = 0
    moves: int = 0
    losses: int = 0
    breaks: int = 0
    bases: int = 0
    swaps: tuple[Swap, ...] = ()
    late: bool = False
    slow: bool = False
    flaws: int = 0
    ahead: bool = False


class At(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """A room at a host.

    Attributes:
        stage: run; at the old owner of a move also stopped; at the successor copy, then verified.
        value: The frozen room.
        offer: The offer that was made of it, or that is on its way to this copy.
        flaw: What is wrong with this copy: see `parts.verified`.
    """

    stage: str
    value: bytes
    offer: bytes = b""
    flaw: str = ""


class Stored(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """What is stored of a room.

    Attributes:
        rows: Its owner rows, the current one last. Hosts are called by their numbers.
        base: Its newest base.
        journal: Its whole history since the beginning.
        left: How many records the dead owner's end has left of it; -1 = all.
    """

    rows: tuple[Owner, ...]
    base: Base
    journal: tuple[bytes, ...]
    left: int = -1

    @property
    def owner(self) -> Owner:
        """The current row."""
        return self.rows[-1]

    @property
    def host(self) -> int:
        """The host that the current row names."""
        return int(self.owner.host)


Link = tuple[bytes, ...]
Links = tuple[tuple[Link, ...], ...]


class World(msgspec.Struct, frozen=True, gc=False, cache_hash=True):
    """Everything, frozen.

    Attributes:
        typed: For each player, how many lines they have typed.
        seen: For each player, (j, m, text) of all that was shown.
        gateways: Frozen gateways; b"" = not begun, None = dead.
        alive: For each host, whether it lives.
        greeted: For each host, the gateways that said hello and whose link has not ended, in order.
        rooms: For each room, for each host, the room there, if any.
        stored: For each room, what is stored of it.
        up: [gateway][host], messages on their way to the host.
        down: [gateway][host], messages on their way to the gateway.
        said: (room, host, epoch) for each "it is mine now" that is on its way from a successor to that host.
        crashes, moves, losses, breaks, bases, swaps, flaws: How many there have been.
    """

    typed: tuple[int, ...]
    seen: tuple[tuple[tuple[int, int, str], ...], ...]
    gateways: tuple[bytes | None, ...]
    alive: tuple[bool, ...]
    greeted: tuple[tuple[int, ...], ...]
    rooms: tuple[tuple[At | None, ...], ...]
    stored: tuple[Stored, ...]
    up: Links
    down: Links
    said: tuple[tuple[int, int, int], ...] = ()
    crashes: int = 0
    moves: int = 0
    losses: int = 0
    breaks: int = 0
    bases: int = 0
    swaps: int = 0
    flaws: int = 0


Label = tuple[object, ...]
Step = tuple[Label, World]


def put(values: tuple[Any, ...], place: int, value: object) -> tuple[Any, ...]:
    """`values` with one of them replaced."""
    return (*values[:place], value, *values[place + 1 :])


def put2(rows: tuple[Any, ...], row: int, place: int, value: object) -> tuple[Any, ...]:
    """`rows` with one value of one of them replaced."""
    return put(rows, row, put(rows[row], place, value))
