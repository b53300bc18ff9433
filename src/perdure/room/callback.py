"""What a game may do, and see, during one callback.

Nothing here changes the room but the closing of seats, which an undone callback opens again: a callback
gathers, and the machine books.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import NamedTuple, Protocol

import msgspec

from perdure.errors import ContractError
from perdure.room.record import Cause, Event, Gone, Leave, Output, Request, Text, Timer
from perdure.room.seats import Seat, through

TEXT_CHARS_MAX = 256 * 1024
"""One text: what an outbox may hold at most. A longer one could never be delivered."""

_encode = msgspec.msgpack.Encoder().encode


class Value(Protocol):
    """What a callback sees of its room."""

    id: str
    c: int
    now_us: int
    seed: bytes
    open: dict[str, Seat]
    rooms: AbstractSet[str]
    timers: dict[str, Timer]
    fired: Timer | None
    answered: Request | None


class Blamed(NamedTuple):
    """What of a game failed, by name. Nothing of it was typed by a player.

    Attributes:
        handler: The method, as ``module.method``; "" where none can be named.
        command: The words of the command that led to it, "" for none.
        disabled_after: So many faults disabled the method, this one being the last of them; 0: it did not.
    """

    handler: str = ""
    command: str = ""
    disabled_after: int = 0


class Fault(NamedTuple):
    """An error of the game's, and what failed."""

    error: BaseException
    blamed: Blamed = Blamed()


class Callback:
    """What a game may do, and see, during one callback. Not valid after it.

    Attributes:
        room, cause, c, now_us: Which room, what caused it, its number, the room's clock.
        timer: What was set, when the cause is `TimerFired`.
        request: What was asked, when the cause is `Answered`.
        match_over: Set by the game when new code that waits for the end of a match may come now.
        faults: Faults that undo nothing: of the game's hooks for prompts and GMCP.
    """

    def __init__(self, room: Value, cause: Cause) -> None:
        self._room = room
        self.cause = cause
        self.room = room.id
        self.c = room.c + 1
        self.now_us = room.now_us
        self.timer, self.request = room.fired, room.answered
        self._leaving = _leaving(cause)
        self.outputs: list[tuple[list[str], Output]] = []
        self.timers: dict[str, Timer | None] = {}
        self.requests: list[tuple[int, Request]] = []
        self.effects: list[tuple[str, bytes]] = []
        self.match_over = False
        self.faults: list[Fault] = []

    @property
    def seats(self) -> Mapping[str, Seat]:
        """The open seats, by session."""
        return self._room.open

    @property
    def rooms(self) -> AbstractSet[str]:
        """Ids of all rooms that this server knows."""
        return self._room.rooms

    @cached_property
    def random(self) -> random.Random:
        """Randomness that depends on nothing but the room's seed, the callback's number and its time."""
        seed = hashlib.blake2b(self._room.seed + _encode((self.c, self.now_us)), digest_size=16).digest()
        return random.Random(seed)

    def output(self, sessions: Sequence[str], output: Output) -> None:
        """Give the same output to the open seats among `sessions`. Go, refused and end close them.

        A seat that is leaving closes by itself: go, refused and end do not reach it.

        Raises:
            ContractError: A text is longer than `TEXT_CHARS_MAX`.
        """
        if type(output) is Text and len(output.text) > TEXT_CHARS_MAX:
            raise ContractError(f"a text of {len(output.text)} characters; at most {TEXT_CHARS_MAX} are told at once")
        seats = self._room.open
        present = [session for session in sessions if session in seats]
        if type(output) is Text:
            if present:
                self.outputs.append((present, output))
            return
        for session in present:
            if session == self._leaving:
                continue
            self.outputs.append(([session], through(output, seats[session].applied)))
            del self._room.open[session]

    def set_timer(self, due_us: int, handler: str, args: bytes = b"\x90", *, id: str = "", every_us: int = 0) -> str:
        """Set timer `id` (replacing one of that id), or one with an id of its own. Returns the id."""
        id = id or f"{self.c}.{len(self.timers)}"
        self.timers[id] = Timer(due_us, handler, args, every_us)
        return id

    def cancel_timer(self, id: str) -> bool:
        """Forget timer `id`. Returns whether it was set."""
        known = self.timers[id] is not None if id in self.timers else id in self._room.timers
        if known:
            self.timers[id] = None
        return known

    @property
    def next_request(self) -> int:
        """The id that the next request gets."""
        return (self.c << 16) + len(self.requests)

    def ask(self, request: Request) -> int:
        """Ask the outside; the answer comes as a callback with the id returned here."""
        id = self.next_request
        self.requests.append((id, request))
        return id

    def effect(self, service: str, body: bytes) -> None:
        """Hand `body` to a service, exactly once, after this callback is durable. ``room:ID`` is mail to a room."""
        self.effects.append((service, body))


def _leaving(cause: Cause) -> str | None:
    """The session whose seat ends with this callback."""
    match cause:
        case Event(session=session, body=Leave()) | Gone(session=session):
            return session
    return None
