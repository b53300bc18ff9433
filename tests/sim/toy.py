"""The smallest game in which a lost, doubled or reordered line shows: players speak, move, and are moved.

Everything that is said is also written into a row. Players are called by their session.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from perdure.room.callback import Callback
from perdure.room.program import Lifecycle, Refusal
from perdure.room.record import Cause, End, Event, Go, Input, Join, Leave, Text
from perdure.room.tables import Row, Table, TableSpec


class Speaker(Row):
    """What a player said in this room.

    Attributes:
        said: Their lines, in order.
    """

    said: list[str] = []  # noqa: RUF012  (a struct copies it for every row)


SPEAKERS = TableSpec("toy.speakers", Speaker)


class Toy:
    """The program.

    Lines: ``go ROOM`` moves the speaker, ``send ROOM`` everyone else, ``end`` ends the speaker's session, ``fault``
    raises; everything else is heard by all.
    """

    game, generation, lifecycle = "toy", "1", Lifecycle()
    tables: Mapping[str, TableSpec] = {SPEAKERS.name: SPEAKERS}
    versions: Mapping[str, int] = {"toy": 1}

    def bind(self, room: str, tables: Mapping[str, Table[Any, Any]]) -> ToyHandler:
        return ToyHandler(room, tables[SPEAKERS.name])


class ToyHandler:
    """The game, bound to one room."""

    def __init__(self, room: str, speakers: Table[Speaker, str]) -> None:
        self.room, self.speakers = room, speakers

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

    def handles(self, handler: str) -> bool:
        return True

    def wants_start(self) -> bool:
        return False

    def explain(self, cause: Cause, error: BaseException) -> str:
        return "something broke"

    def _line(self, callback: Callback, session: str, line: str) -> None:
        name = session
        self.speakers.setdefault(name, Speaker()).said.append(line)
        self._heard(callback, f"{name}: {line}")
        verb, _, target = line.partition(" ")
        match verb:
            case "go":
                callback.output([session], Go(target, -1))
            case "send":
                callback.output([other for other in callback.seats if other != session], Go(target, -1))
            case "end":
                callback.output([session], End("as you wish"))
            case "fault":
                raise RuntimeError(line)

    def _heard(self, callback: Callback, text: str) -> None:
        callback.output(list(callback.seats), Text(text))
