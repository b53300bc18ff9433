"""What a callback costs: the rows that it touches, its record, and its undo."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.report import Goal, Report, Spread, main, number
from perdure.host.guard import SignalGuard
from perdure.room.callback import Blamed, Callback
from perdure.room.machine import Guard, Room, unguarded
from perdure.room.program import Lifecycle, Refusal
from perdure.room.record import Cause, Event, Input, Join, Who
from perdure.room.tables import Row, Table, TableSpec

ROWS = 1000
SESSION = "gateway.1.1"
GOAL_US = 50.0


class Thing(Row):
    """A row as games have them."""

    name: str
    place: str
    uses: int = 0
    weight: float = 1.0


class Touching:
    """A program whose every input touches the same number of rows."""

    game, generation, lifecycle = "bench", "1", Lifecycle()
    tables: Mapping[str, TableSpec] = {"bench.things": TableSpec("bench.things", Thing)}
    versions: Mapping[str, int] = {"bench": 1}
    blamed = Blamed()

    def __init__(self) -> None:
        self.touches, self.refuses = 0, False
        self._at = 0

    def bind(self, room: str, tables: Mapping[str, Table[Any, Any]]) -> Touching:
        del room
        self.things: Table[Thing, int] = tables["bench.things"]
        return self

    def call(self, callback: Callback, cause: Cause) -> None:
        del callback
        if isinstance(cause, Event) and cause.n == 0:
            for key in range(ROWS):
                self.things[key] = Thing(f"thing {key}", "the market")
            return
        things, self._at = self.things, (self._at + self.touches) % (ROWS - 200)
        for key in range(self._at, self._at + self.touches):
            things[key].uses += 1
        if self.refuses:
            raise Refusal("no")

    def handles(self, handler: str) -> bool:  # noqa: ARG002  (the protocol's signature)
        return True

    def let_go(self) -> None:
        pass

    def wants_start(self) -> bool:
        return False

    def vetoers(self) -> Sequence[str]:
        return ()

    def veto(self, callback: Callback, module: str) -> None:
        raise NotImplementedError

    def explain(self, cause: Cause, error: BaseException) -> str:
        del cause
        return str(error)


def room_of(program: Touching, guard: Guard) -> Callable[[], None]:
    """A room with one player; the function runs one callback."""
    room = Room.new("r", program, seed=bytes(16), clock_us=0, guard=guard)
    room.run(Event(SESSION, 1, 0, Join(Who("ada", "Ada"))), 1)
    seat = room.seats[SESSION]

    def step() -> None:
        room.run(Event(SESSION, 1, seat.applied + 1, Input("use it")), room.now_us + 1000)
        seat.outbox.clear()

    return step


def plain_of(touches: int) -> Callable[[], None]:
    """The same writes to the same structs in a dictionary."""
    things = {key: Thing(f"thing {key}", "the market") for key in range(ROWS)}

    def step() -> None:
        for key in range(touches):
            things[key].uses += 1

    return step


def timed_us(step: Callable[[], None], seconds: float) -> Spread:
    """Microseconds of one step: each value is the mean of a batch of about a millisecond."""
    for _ in range(200):
        step()
    began = time.perf_counter()
    for _ in range(50):
        step()
    batch = max(1, int(0.001 / ((time.perf_counter() - began) / 50)))
    values: list[float] = []
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline or len(values) < 20:
        began = time.perf_counter()
        for _ in range(batch):
            step()
        values.append((time.perf_counter() - began) / batch * 1e6)
    return Spread.of(values)


def measure(short: bool) -> Report:
    """Callbacks that touch 0, 1, 5, 20 and 100 rows."""
    seconds = 0.3 if short else 1.5
    rows: list[list[str]] = []
    figures: dict[str, float] = {}
    for touches in (0, 1, 5, 20, 100):
        program = Touching()
        program.touches = touches
        plain, booked = timed_us(plain_of(touches), seconds), timed_us(room_of(program, unguarded), seconds)
        guarded = timed_us(room_of(program, SignalGuard()), seconds)
        program = Touching()
        step = room_of(program, unguarded)
        program.touches, program.refuses = touches, True
        undone = timed_us(step, seconds)
        rows.append([f"{touches} rows", plain.text(), booked.text(), guarded.text(), undone.text()])
        figures[f"rows_{touches}_us"] = booked.median
        figures[f"rows_{touches}_plain_us"] = plain.median
        figures[f"rows_{touches}_guarded_us"] = guarded.median
        figures[f"rows_{touches}_undone_us"] = undone.median
    overhead = figures["rows_20_us"] - figures["rows_20_plain_us"]
    return Report(
        "callbacks",
        "One callback, in µs: median (10th–90th percentile)",
        ["a callback that changes", "plain writes", "callback", "with watchdog", "undone"],
        rows,
        "the same writes to the same structs in a dict, without a room; and an empty callback (0 rows).",
        [Goal("part 3", "overhead of a callback that touches 20 rows", f"≤ {GOAL_US:.0f} µs",
              f"{number(overhead)} µs", overhead <= GOAL_US)],
        [
            "A callback here is `Room.run`: the game's code, encoding and comparing what it touched, checking that it",
            "decodes, the record and its digest. The journal is not in it. The watchdog is the kernel's timer.",
        ],
        figures,
    )  # fmt: skip


if __name__ == "__main__":
    main(measure)
