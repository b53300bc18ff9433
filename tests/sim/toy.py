"""The smallest game in which a lost, doubled or reordered line shows: players speak, move, and are moved.

Everything that is said is also written into a row. Players are called by their session. There are several
generations of the game: they call what is in the rows by other names, and do not all have the bell.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from perdure.room.callback import Blamed, Callback
from perdure.room.program import Lifecycle, Refusal
from perdure.room.record import Cause, End, Event, Go, Input, Join, Leave, Text, TimerFired
from perdure.room.tables import Migration, Row, Table, TableSpec

TABLE = "toy.speakers"
BELL = "bell"
"""The only timer's id, and its handler's name."""


class Speaker(Row):
    """What a player said in this room.

    Attributes:
        said: Their lines, in order.
        mood: Nobody says it.
    """

    said: list[str] = []  # noqa: RUF012  (a struct copies it for every row)
    mood: str = ""


class Moodless(Row):
    """The same, of the same version, without what nobody says."""

    said: list[str] = []  # noqa: RUF012  (a struct copies it for every row)


class Teller(Row):
    """Version 2: the lines have another name."""

    told: list[str] = []  # noqa: RUF012  (a struct copies it for every row)


class Counter(Row):
    """Version 3: and another one, beside their number."""

    count: int = 0
    lines: list[str] = []  # noqa: RUF012  (a struct copies it for every row)


UP: Mapping[tuple[int, int], Migration] = {
    (1, 2): lambda fields: {"told": fields["said"]},
    (2, 3): lambda fields: {"count": len(fields["told"]), "lines": fields["told"]},
}
DOWN: Mapping[tuple[int, int], Migration] = {
    (3, 2): lambda fields: {"told": fields["lines"]},
    (2, 1): lambda fields: {"said": fields["told"]},
}


class Toy:
    """The program in one generation.

    Lines: ``go ROOM`` moves the speaker, ``send ROOM`` everyone else, ``end`` ends the speaker's session, ``ring``
    sets a timer that is due at once, ``fault`` raises; everything else is heard by all.

    Args:
        lines: The field of `row` that holds what was said.
        bell: Whether there is a handler for the timer.
    """

    game, lifecycle = "toy", Lifecycle()

    def __init__(self, generation: str, row: type[Row], version: int, lines: str, *, bell: bool = True) -> None:
        self.generation, self.lines, self.bell = generation, lines, bell
        ways = {edge: step for edge, step in {**UP, **DOWN}.items() if max(edge) <= version}
        self.spec = TableSpec(TABLE, row, version, ways)
        self.tables: Mapping[str, TableSpec] = {TABLE: self.spec}
        self.versions: Mapping[str, int] = {"toy": version}

    def bind(self, room: str, tables: Mapping[str, Table[Any, Any]]) -> ToyHandler:
        return ToyHandler(self, room, tables[TABLE])

    def said(self, data: bytes) -> tuple[str, ...]:
        """The lines in a row's bytes, whichever version wrote them."""
        return tuple(getattr(self.spec.read(data), self.lines))


FIRST = Toy("1", Speaker, 1, "said")
LAST = Toy("3", Counter, 3, "lines")
"""Reads the rows of every version."""
OTHERS = (Toy("moodless", Moodless, 1, "said"), Toy("2", Teller, 2, "told", bell=False))
GENERATIONS: Mapping[str, Toy] = {toy.generation: toy for toy in (FIRST, *OTHERS, LAST)}


class ToyHandler:
    """The game, bound to one room."""

    blamed = Blamed()

    def __init__(self, toy: Toy, room: str, speakers: Table[Any, str]) -> None:
        self.toy, self.room, self.speakers = toy, room, speakers

    def call(self, callback: Callback, cause: Cause) -> None:
        match cause:
            case Event(session=session, body=Join()):
                if self.room == "closed":
                    raise Refusal("full")
                self._heard(callback, f"{session}: hello {self.room}, callback {callback.c}")
            case Event(session=session, body=Input(line=line)):
                self._line(callback, session, line)
            case Event(session=session, body=Leave()):
                self._heard(callback, f"{session}: bye")
            case TimerFired():
                self._heard(callback, "the bell rings")

    def handles(self, handler: str) -> bool:
        return self.toy.bell

    def let_go(self) -> None:
        pass

    def wants_start(self) -> bool:
        return False

    def vetoers(self) -> list[str]:
        return []

    def veto(self, callback: Callback, module: str) -> None:
        return None

    def explain(self, cause: Cause, error: BaseException) -> str:
        return "something broke"

    def _line(self, callback: Callback, session: str, line: str) -> None:
        name = session
        row = self.speakers.setdefault(name, self.toy.spec.row())
        getattr(row, self.toy.lines).append(line)
        if isinstance(row, Counter):
            row.count += 1
            assert row.count == len(row.lines)
        self._heard(callback, f"{name}: {line}")
        verb, _, target = line.partition(" ")
        match verb:
            case "go":
                callback.output([session], Go(target, -1))
            case "send":
                callback.output([other for other in callback.seats if other != session], Go(target, -1))
            case "end":
                callback.output([session], End("as you wish"))
            case "ring":
                callback.set_timer(callback.now_us, BELL, id=BELL)
            case "fault":
                raise RuntimeError(line)

    def _heard(self, callback: Callback, text: str) -> None:
        callback.output(list(callback.seats), Text(text))
