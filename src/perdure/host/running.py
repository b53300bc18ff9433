"""One running room in a host, and what cannot run in it right now."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from statistics import quantiles
from typing import Any, NamedTuple, Protocol

from perdure.config import Game
from perdure.errors import one_line
from perdure.link.host import HostEnd
from perdure.link.messages import EventSent
from perdure.ports import Owner
from perdure.room.callback import Blamed
from perdure.room.machine import Room
from perdure.room.program import Faulted, Program
from perdure.room.record import Answered, Cause, Event
from perdure.room.seats import Seat

QUIESCENT_S = 0.001
"""How often a room is looked at whose records are just becoming durable."""
TICKS_KEPT = 512


class HostedProgram(Program, Protocol):
    """A program that a host can also ask about itself, and for its functions."""

    def modules(self) -> list[Any]:
        """What the game consists of, and how it fares; structs that JSON can say."""
        ...

    @property
    def uses(self) -> int:
        """How many hold it: rooms, running questions, the library."""
        ...

    def hold(self) -> None:
        """Keep the code loaded until `release`."""
        ...

    def release(self) -> None:
        """Let go of it. Code that nobody holds is retired: nothing of it may be called any more."""
        ...

    @property
    def locks(self) -> dict[str, str]:
        """Features that must not be begun now -> why."""
        ...

    def faulted(self) -> dict[str, Faulted]:
        """Handlers that have failed."""
        ...

    def learn(self, faulted: Mapping[str, Faulted]) -> None:
        """Go on with what another host knows of them."""
        ...

    def resolve(self, function: str) -> Callable[..., Any]:
        """The function that a request names. Raises when there is none."""
        ...

    def traceback(self, error: BaseException) -> str:
        """A fault for the log: the game's own frames."""
        ...

    def place(self, error: BaseException) -> tuple[str, int]:
        """File and line of the innermost of the game's own frames; ("", 0) for a fault without any."""
        ...


class Programs(Protocol):
    """The games' code, as a host's rooms need it; see `library`."""

    def current(self, game: str) -> HostedProgram:
        """The generation that serves."""
        ...

    def at(self, game: str, generation: str) -> HostedProgram:
        """The generation that a room's history names, or the one that serves if it cannot be had any more."""
        ...

    def held(self, game: str, generation: str) -> HostedProgram:
        """As `at`, for any thread, with a use of it that the caller releases."""
        ...

    def prune(self) -> None:
        """Retire what nobody uses any more."""
        ...


class Next(NamedTuple):
    """Code that a room takes when its game's update policy lets it.

    Attributes:
        drop_orphans, may_lose: See `perdure.room.machine.Room.swap`.
        at_once: Whether it does not wait for what the update policy says: it takes back what should not run.
    """

    program: HostedProgram
    drop_orphans: bool
    may_lose: bool
    at_once: bool = False


class Swapped(NamedTuple):
    """A room went on with other code.

    Attributes:
        paused_s: For how long it stood still.
        dropped: Handlers of the timers that were dropped.
    """

    paused_s: float
    dropped: list[str]


class Identity(NamedTuple):
    """What the executing slot says of a callback: its number, and the event that caused it (n -1: none did)."""

    c: int
    session: str
    j: int
    n: int

    @staticmethod
    def of(cause: Cause, c: int) -> Identity:
        """The identity of the callback number c with this cause."""
        if isinstance(cause, Event):
            return Identity(c, cause.session, cause.j, cause.n)
        return Identity(c, "", 0, -1)

    def same_input(self, other: Identity) -> bool:
        """Whether it is the same event; for other causes, the same callback."""
        return self[1:] == other[1:] and (self.n >= 0 or self.c == other.c)


class Running:
    """A room that this host owns.

    Attributes:
        room, end: The room, and its end of the link.
        owner: The owner row under which it runs.
        program, game: Its code, of which it holds one use, and what the configuration says of its game.
        lost_code: Whether the code that its history names cannot be had any more, so that it runs other code.
        next: The code that it takes when the update policy lets it; held, too.
        unanswered: Answers whose handler the code does not have; they wait for code that has it.
        paused: An operator holds it: nothing runs but single steps.
        stopped: It is on its way to another host: nothing runs and nothing is appended until that is decided.
        held: What waits for it to run on, in order.
        waiting: Session -> events that wait until the session's outbox has room again (H3).
        replayed: Session -> text in its outbox as this host took it over. Most of it was read long ago, which is not
            recorded; the seat's first acknowledgement tells, and until then it does not count against the player.
        skip: The input that an operator lets it step over.
        asked_at: The host that it came from and that may still have answers to its questions, "" for none.
        due_s: What the agenda has down for it -> when (monotonic).
        based_s: When its last base was begun (monotonic).
        records: Callbacks recorded since then.
        released: Service -> number of its last effect that is durable, and on its way.
        kept_c, newest_c: From which callback on the journal is kept, and that of its newest base.
        claimed_c: Callback number at which this host took it.
        based: Whether a base of at least that callback is stored: dead hosts' records are not needed.
        faults: Callbacks that faulted here.
        watched: Callback number and faults when a canary began to watch.
    """

    def __init__(self, room: Room, end: HostEnd, program: HostedProgram, game: Game, owner: Owner) -> None:
        self.room, self.end, self.program, self.game = room, end, program, game
        program.hold()
        self.lost_code = False
        self.next: Next | None = None
        self.unanswered: dict[int, Answered] = {}
        self.paused = self.stopped = False
        self.held: deque[Callable[[], None]] = deque()
        self.waiting: dict[str, deque[tuple[object, EventSent]]] = {}
        self.skip: Identity | None = None
        self.asked_at = ""
        self.due_s: dict[str, float] = {}
        self.based_s = 0.0
        self.records = 0
        self.based = False
        self.kept_c = self.newest_c = 0
        self.faults = 0
        self.watched = (room.c, 0)
        self.ticks_ms: deque[float] = deque(maxlen=TICKS_KEPT)
        self.take(owner)

    def take(self, owner: Owner) -> None:
        """The room is this host's under this owner row, as it stands."""
        room = self.room
        self.owner, room.epoch, room.branch, self.claimed_c = owner, owner.epoch, owner.branch, room.c
        self.replayed = {session: seat.outbox_bytes for session, seat in room.open.items()}
        self.released = {service: effects.next_number - 1 for service, effects in room.effects.items()}

    async def wait_quiescent(self, loop: asyncio.AbstractEventLoop, timeout_s: float) -> bool:
        """Wait until nothing of the room waits for the journal; False if that takes too long."""
        until_s = loop.time() + timeout_s
        while not self.end.quiescent:
            if loop.time() > until_s:
                return False
            await asyncio.sleep(QUIESCENT_S)
        return True

    def forget_next(self) -> None:
        """Nothing waits to be the room's next code."""
        if self.next is not None:
            self.next.program.release()
            self.next = None

    def let_go(self) -> None:
        """The room does not run here any more: its code is not used by it."""
        self.forget_next()
        self.program.release()

    def fault_event(self, error: BaseException, blamed: Blamed, *, undone: bool) -> dict[str, Any]:
        """A fault for the event log: what failed and where, and nothing that a player typed.

        Args:
            undone: Whether it undid the callback.
        """
        file, line = self.program.place(error)
        return {
            "kind": "fault", "room": self.room.id, "callback": self.room.c, "game": self.program.game,
            "handler": blamed.handler, "command": blamed.command, "file": file, "line": line, "undone": undone,
            "error": one_line(error),
        }  # fmt: skip

    def unread(self, session: str, seat: Seat) -> int:
        """Bytes of text that the seat's player has not read, as far as this host knows."""
        return seat.outbox_bytes - self.replayed.get(session, 0)

    def listing(self) -> dict[str, Any]:
        """As `rooms --json` shows it."""
        room = self.room
        return {
            "id": room.id,
            "game": self.program.game,
            "epoch": room.epoch,
            "callback": room.c,
            "branch": room.branch,
            "generation": self.program.generation,
            "state_hash": room.state_hash(),
            "seats": len(room.open),
            "tick_ms": percentiles(list(self.ticks_ms)),
            "paused": self.paused,
            "update_waits": self.next is not None,
            "faults": self.faults,
            "durability": self.game.durability,
        }


def percentiles(ticks_ms: list[float]) -> dict[str, float]:
    """p50 and p99 in milliseconds; zeros for nothing measured."""
    if len(ticks_ms) < 2:
        return {"p50": sum(ticks_ms), "p99": sum(ticks_ms)}
    cuts = quantiles(ticks_ms, n=100, method="inclusive")
    return {"p50": round(cuts[49], 4), "p99": round(cuts[98], 4)}
