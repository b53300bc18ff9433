"""A room whose game is whatever the test says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from perdure.room.callback import Blamed, Callback
from perdure.room.machine import Ran, Room
from perdure.room.program import Lifecycle, Vetoed
from perdure.room.record import Cause, Event, Input, Join, Leave, Resize, Who
from perdure.room.tables import Row, Table, TableSpec

SEED = bytes(range(16))
ANN, BOB = "g.1.1", "g.1.2"


class Thing(Row):
    """A row with a number and some names."""

    count: int = 0
    names: list[str] = []  # noqa: RUF012  (a struct copies it for every row)


THINGS = TableSpec("test.things", Thing)

Act = Callable[[Callback, Cause, Table[Thing, str]], object]


class Game:
    """A program and its only handler: `act` is the game's code and may be exchanged between callbacks."""

    game, generation, lifecycle = "test", "1", Lifecycle()
    versions: Mapping[str, int] = {"test": 1}
    blamed = Blamed()

    def __init__(self, act: Act | None = None, tables: Mapping[str, TableSpec] | None = None) -> None:
        self.tables: Mapping[str, TableSpec] = {THINGS.name: THINGS} if tables is None else tables
        self.act = act
        self.asked: dict[str, Callable[[Callback, Table[Thing, str]], Vetoed | None]] = {}

    def bind(self, room: str, tables: Mapping[str, Table[Any, Any]]) -> Game:
        self.bound = tables
        return self

    def call(self, callback: Callback, cause: Cause) -> None:
        if self.act is not None:
            self.act(callback, cause, self.bound.get(THINGS.name, Table(THINGS)))

    def handles(self, handler: str) -> bool:
        return True

    def let_go(self) -> None:
        pass

    def wants_start(self) -> bool:
        return False

    def vetoers(self) -> list[str]:
        return list(self.asked)

    def veto(self, callback: Callback, module: str) -> Vetoed | None:
        return self.asked[module](callback, self.bound[THINGS.name])

    def explain(self, cause: Cause, error: BaseException) -> str:
        return "That failed."


def a_room(act: Act | None = None) -> tuple[Room, Game]:
    """A new room of such a game."""
    game = Game(act)
    return Room.new("hall", game, seed=SEED, clock_us=1_000), game


def again(room: Room, game: Game | None = None) -> Room:
    """The room captured and restored."""
    restored = Room.restore(
        room.capture(), room.id, game or Game(), c=room.c, epoch=room.epoch, branch=room.branch, rooms=room.rooms
    )
    restored.check()
    return restored


def join(room: Room, session: str = ANN, j: int = 1) -> Ran:
    """A player comes."""
    return room.run(Event(session, j, 0, Join(Who(session, session[-1]))), 0)


def line(room: Room, n: int, text: str = "x", session: str = ANN) -> Ran:
    """A player types."""
    return room.run(Event(session, room.seats[session].j, n, Input(text)), 0)


def resize(room: Room, n: int, columns: int, rows: int) -> Ran:
    """A player's window changes."""
    return room.run(Event(ANN, 1, n, Resize(columns, rows)), 0)


def leave(room: Room, n: int, session: str = ANN) -> Ran:
    """A player leaves."""
    return room.run(Event(session, room.seats[session].j, n, Leave()), 0)
