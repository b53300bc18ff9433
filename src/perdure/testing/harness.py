"""Rooms, players and time in one process, for tests of games.

The real room machine runs the game; only what lies around it is simple: no process, no socket, and a clock
that stands still until the test moves it. A game's mistake is raised in the test, at the author's line.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import re
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from perdure.games.python.api import Game, Module
from perdure.games.python.binding import Binding
from perdure.games.python.load import load_game, program_of
from perdure.games.python.program import PythonProgram
from perdure.markup import unmarked
from perdure.room.machine import Ran, Room
from perdure.room.program import Vetoed
from perdure.room.record import (
    Answered,
    Cause,
    End,
    Event,
    Go,
    Input,
    Join,
    Leave,
    Mailed,
    Output,
    Refused,
    Resize,
    Started,
    Text,
    TimerFired,
    Wake,
    Who,
    decode_record,
)
from perdure.snapshot.body import read_body, sections
from perdure.testing.simworld import NOON_US

M = TypeVar("M", bound=Module)

_STYLE = re.compile(r"\x1b\[[0-9;]*m")
_RUN = object()


class Player:
    """Somebody who plays in a test. Made by `RoomInTest.join`.

    Attributes:
        name, id: Who they are; rows keyed by `player.id` are keyed by this id.
        lines: Everything that they were shown, line by line, without styles and links.
        prompt: What stands before the line that they type.
        gmcp: Package -> the data that it was sent with last.
        messages: Every GMCP message that their client was sent, as (package, data).
        room: Where they are, as a room's id.
        ended: Why their session is over, "" while it is not.
    """

    def __init__(
        self, perdure: Perdure, name: str, role: str, columns: int, rows: int, screenreader: bool, guest: bool
    ) -> None:
        self._perdure, self._j, self._n = perdure, 0, 0
        number = perdure.counted()
        self.name, self.id, self.role = name, f"guest:{number}" if guest else name.lower(), role
        self.session = f"{self.id}-{number}"
        self.lines: list[str] = []
        self.prompt = ""
        self.gmcp: dict[str, Any] = {}
        self.messages: list[tuple[str, Any]] = []
        self.room, self.ended = "", ""
        self._columns, self._rows, self._screenreader = columns, rows, screenreader

    def types(self, *lines: str) -> None:
        """Type lines, one after the other."""
        for line in lines:
            assert not self.ended, f"{self.name} cannot type {line!r}: the session is over ({self.ended})"
            self._send(Input(line))

    def sees(self, text: str) -> bool:
        """Make sure that `text` stands in what the player was shown; if not, the failure shows all of it."""
        if any(text in line for line in self.lines) or text in "\n".join(self.lines):
            return True
        shown = "\n".join(f"  | {line}" for line in self.lines) or "  (nothing)"
        raise AssertionError(f"{self.name} was not shown {text!r}, but:\n{shown}")

    def resizes(self, columns: int, rows: int = 24) -> None:
        """Make the window another size, in characters."""
        self._columns, self._rows = columns, rows
        self._send(Resize(columns, rows, self._screenreader))

    def rejoins(self) -> None:
        """Log in again while they play, from another client, which shows nothing yet."""
        self._send(Resize(self._columns, self._rows, self._screenreader, anew=True))

    def leave(self, reason: str = "quit") -> None:
        """End the player's session."""
        self._send(Leave(reason))
        self.ended = reason

    def _enter(self, room: str) -> None:
        assert room in self._perdure.rooms, f"{self.name} is sent to {room!r}: make that room with perdure.room(…, id=)"
        self.room, self._j, self._n = room, self._j + 1, -1
        self.prompt = ""
        self._send(Join(Who(self.id, self.name, self.role), self._columns, self._rows, self._screenreader))

    def _send(self, body: Join | Input | Resize | Leave) -> None:
        self._n += 1
        self._perdure.rooms[self.room].run(Event(self.session, self._j, self._n, body))

    def _show(self, output: Output) -> None:
        match output:
            case Text(prompt=str(prompt)):
                self.prompt = _plain(prompt)
            case Text(gmcp=(package, body)):
                self._hear(package, msgspec.json.decode(body))
            case Text(text=text):
                self.lines += _plain(text).removesuffix("\n").split("\n")
            case Go(target=target):
                self._perdure.later.append(partial(self._enter, target))
            case Refused(reason=reason):
                self.ended = f"refused: {reason}"
            case End(reason=reason):
                self.ended = reason

    def _hear(self, package: str, data: Any) -> None:
        """As a gateway hands it on: what is no event is passed over if the client has it."""
        if package.startswith("Comm.") or package not in self.gmcp or self.gmcp[package] != data:
            self.messages.append((package, data))
        self.gmcp[package] = data


class RoomInTest:
    """A room of a game in a test. Made by `Perdure.room`.

    Attributes:
        faults: The errors of the game that the test wanted kept (`keep_faults`).
        match_over: How often the game said `room.match_over()`.
        machine: The room itself.
    """

    def __init__(self, perdure: Perdure, program: Callable[[], PythonProgram], id: str, keep_faults: bool) -> None:
        self._perdure, self._program, self._keep_faults = perdure, program, keep_faults
        self.id = id
        self.faults: list[BaseException] = []
        self.match_over = 0
        self.program = program()
        seed = hashlib.blake2b(id.encode(), digest_size=16).digest()
        self.machine = Room.new(id, self.program, seed=seed, clock_us=perdure.clock_us, rooms=perdure.rooms.keys())
        self._woken_us = perdure.clock_us
        self._checkpoint()

    def __getitem__(self, module: type[M] | str) -> Any:
        """The room's instance of a module, by class or by its name in lower case, to look at its tables."""
        binding = self.machine.handler
        assert isinstance(binding, Binding)
        return binding.named(module) if isinstance(module, str) else binding.module(module)

    def join(
        self,
        name: str,
        role: Literal["player", "builder", "admin"] = "player",
        *,
        columns: int = 80,
        rows: int = 24,
        screenreader: bool = False,
        guest: bool = False,
    ) -> Player:
        """Somebody comes in, with a window of this size in characters; perhaps they listen to the text.

        A guest has an id of their own each time, which begins with ``guest:``.
        """
        player = Player(self._perdure, name, role, columns, rows, screenreader, guest)
        self._perdure.players[player.session] = player
        player._enter(self.id)
        self._perdure.settle()
        return player

    def advance(self, seconds: float) -> None:
        """Let time pass, in all rooms of the test: timers fire and heartbeats come, in order."""
        self._perdure.advance(seconds)

    def answer(self, value: object = _RUN, *, status: Literal["ok", "error", "timeout", "interrupted"] = "ok") -> None:
        """Answer the oldest `room.ask`: with `value`, or by really running the function that was asked."""
        id, request = next(iter(self.machine.requests.items()))
        if value is _RUN and status == "ok":
            value = self.program.resolve(request.function)(*msgspec.msgpack.decode(request.args))
            if inspect.isawaitable(value):
                value = asyncio.run(_awaited(value))
        self.run(Answered(id, status, msgspec.msgpack.encode(None if value is _RUN else value)))

    def lock(self, feature: str, reason: str) -> None:
        """Lock a feature, as a server does before its program is replaced. `restart` and `crash` unlock all."""
        self.program.locks[feature] = reason

    def unlock(self, feature: str) -> None:
        """Take the lock away."""
        del self.program.locks[feature]

    def vetoes(self) -> list[Vetoed]:
        """What the game's modules have against it that the server's program is replaced now."""
        answers = self.machine.ask_vetoes(self.machine.handler.vetoers(), self._perdure.clock_us)
        errors = [answer.error for answer in answers if answer.error is not None]
        if errors and not self._keep_faults:
            raise errors[0]
        self.faults += errors
        return [answer for answer in answers if answer.error is None]

    def reload(self, game: type[Game] | str | Path) -> None:
        """Go on with other code, as a server does when a file was saved. Players stay.

        Args:
            game: The game's class in its next version, or the path of its folder or file.

        Raises:
            SchemaError: It cannot read rows that are there; nothing has changed.
        """
        load = _loader(game)
        program = load()
        program.take_health(self.program)
        self._perdure.clock_us += 1000
        ran = self.machine.swap(program, self._perdure.clock_us)
        self._records.append(ran.data)
        self._program, self.program = load, program
        if self.machine.handler.wants_start():
            self.run(Started())

    def restart(self) -> None:
        """Stop the room, store it, and continue it in a fresh program of the same game. Players stay."""
        self._checkpoint()
        self._recover()

    def crash(self) -> None:
        """Kill the room, and recover it from its last base and the records since then. Players stay."""
        self._recover()

    def run(self, cause: Cause) -> None:
        """Run one callback, and everything that follows from it at once."""
        self._perdure.clock_us += 1000
        ran = self.machine.run(cause, self._perdure.clock_us)
        if ran.record is not None:
            self._records.append(ran.data)
        self._release(ran)
        self.match_over += ran.match_over
        faults = [fault.error for fault in ran.faults] + ([] if ran.error is None else [ran.error])
        if faults and not self._keep_faults:
            raise faults[0]
        self.faults += faults
        if not isinstance(cause, Wake):
            for table in self.machine.tables.values():
                table.check_untouched()
        self._perdure.settle()

    def _release(self, ran: Ran) -> None:
        mail = [partial(self._deliver, name.removeprefix("room:"), number, body) for name, number, body in ran.effects]
        self._perdure.later.extend(() if self._perdure.slow_mail else mail)
        for output, seats in ran.sent:
            for session, _, m in seats:
                seat = self.machine.seats[session]
                seat.acknowledge(m)
                if seat.closed and not seat.outbox:
                    self.machine.forget_seat(session)
                self._perdure.players[session]._show(output)
        self._perdure.later.extend(mail if self._perdure.slow_mail else ())

    def _deliver(self, target: str, number: int, body: bytes) -> None:
        self._perdure.rooms[target].run(Mailed(self.id, number, body))
        self.machine.acknowledge_effect(f"room:{target}", number)

    def _checkpoint(self) -> None:
        self._base = b"".join(sections(self.machine.capture())), self.machine.c
        self._records: list[bytes] = []

    def _recover(self) -> None:
        before, (base, c) = self.machine.state_hash(), self._base
        sessions = {session: (seat.j, seat.applied) for session, seat in self.machine.open.items()}
        epoch, acked = self.machine.epoch + 1, {s: seat.next_m - 1 for s, seat in self.machine.seats.items()}
        pending = {service: effects.pending for service, effects in self.machine.effects.items()}
        self.program = self._program()
        rooms = self._perdure.rooms.keys()
        machine = Room.restore(read_body(base), self.id, self.program, c=c, epoch=epoch, branch=0, rooms=rooms)
        for data in self._records:
            machine.replay(decode_record(data), data)
        machine.check()
        for session in list(machine.seats):
            seat = machine.seats[session]
            seat.acknowledge(acked.get(session, seat.next_m))
            if session not in acked or (seat.closed and not seat.outbox):
                machine.forget_seat(session)
        for service, effects in machine.effects.items():
            effects.pending = pending[service]
        self.machine = machine
        assert machine.state_hash() == before, "the room is not what it was: a row changed behind its table's back"
        assert {s: (seat.j, seat.applied) for s, seat in machine.open.items()} == sessions
        self._checkpoint()

    def next_due_us(self) -> int | None:
        """When this room wants to run next: a timer, or its heartbeat."""
        due = [self.machine.next_due[0]] if self.machine.next_due else []
        if self.program.lifecycle.wake_hz:
            due.append(self._woken_us + round(1_000_000 / self.program.lifecycle.wake_hz))
        return min(due, default=None)

    def run_due(self, now_us: int) -> None:
        """Run what is due: one timer, or a heartbeat."""
        timer = self.machine.next_due
        if timer and timer[0] <= now_us:
            self.run(TimerFired(timer[1]))
        else:
            self._woken_us = now_us
            self.run(Wake())


class Perdure:
    """The `perdure` fixture: rooms that share one clock, and mail and players that move between them.

    Attributes:
        rooms: By id.
        clock_us: Microseconds since 1970, on a clock that only `advance` moves noticeably.
        slow_mail: Whether players who go to another room arrive before the mail that was sent with them.
        later: Players and mail on the way.
    """

    def __init__(self) -> None:
        self.rooms: dict[str, RoomInTest] = {}
        self.players: dict[str, Player] = {}
        self.clock_us = NOON_US
        self.slow_mail = False
        self._count = 0
        self.later: deque[Callable[[], None]] = deque()
        self._settling = False

    def room(self, game: type[Game] | str | Path, id: str = "room", *, keep_faults: bool = False) -> RoomInTest:
        """A new room, started.

        Args:
            game: The game's class, or the path of its folder or file.
            id: The room's name, where a test has several.
            keep_faults: Keep the game's errors in `room.faults` as a server would, and do not raise them in the test.
        """
        made = self.rooms[id] = RoomInTest(self, _loader(game), id, keep_faults)
        made.run(Started())
        return made

    def advance(self, seconds: float) -> None:
        """Let time pass: timers fire and heartbeats come, in order."""
        end_us = self.clock_us + round(seconds * 1_000_000)
        while True:
            due = [(at, room.id) for room in self.rooms.values() if (at := room.next_due_us()) is not None]
            at, id = min(due, default=(end_us + 1, ""))
            if at > end_us:
                break
            self.clock_us = max(self.clock_us, at)
            self.rooms[id].run_due(self.clock_us)
        self.clock_us = max(self.clock_us, end_us)

    def settle(self) -> None:
        """Let everybody arrive who is on the way, and all mail."""
        if self._settling:
            return
        self._settling = True
        try:
            while self.later:
                self.later.popleft()()
        finally:
            self._settling = False

    def counted(self) -> int:
        """1, 2, 3, …"""
        self._count += 1
        return self._count


def _loader(game: type[Game] | str | Path) -> Callable[[], PythonProgram]:
    if isinstance(game, type):
        return lambda: program_of(game)
    return lambda: load_game(Path(game))


def _plain(text: str) -> str:
    return unmarked(_STYLE.sub("", text))


async def _awaited(value: Any) -> Any:
    return await value
