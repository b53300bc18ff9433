"""The decorators. They only mark; the program collects the marks when a game is loaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, dataclass_transform

import msgspec

from perdure.errors import GameError
from perdure.ports import Role
from perdure.room.tables import Migration, Row

F = TypeVar("F", bound=Callable[..., object])
M = TypeVar("M", bound=Migration)

_ATTRIBUTE = "__perdure_marks__"


@dataclass_transform(frozen_default=True)
class Event(msgspec.Struct, frozen=True):
    """Base of a game's events: frozen structs of plain data, known by their class's name."""


class CommandMark(NamedTuple):
    """`@command`."""

    pattern: str
    aliases: tuple[str, ...]
    help: str
    role: str


class EveryMark(NamedTuple):
    """`@every`."""

    seconds: float


class OnMark(NamedTuple):
    """`@on`."""

    event: type[Event]


class MigrateMark(NamedTuple):
    """`@migrate`."""

    row: type[Row]
    version: int
    to: int


Mark = CommandMark | EveryMark | OnMark | MigrateMark


def marks_of(function: object) -> tuple[Mark, ...]:
    """The marks that decorators left on a function, in the order in which they stand."""
    marks: tuple[Mark, ...] = getattr(function, _ATTRIBUTE, ())
    return marks


def _marked(function: Any, mark: Mark) -> None:
    setattr(function, _ATTRIBUTE, (mark, *marks_of(function)))


def command(pattern: str, *aliases: str, help: str = "", role: Role = "player") -> Callable[[F], F]:
    """Make a method of a module a command that players type.

    Args:
        pattern: Its usage: lower-case words are literal, UPPER-CASE words are the method's parameters (typed str, int,
            float or Player), brackets mark what may be left out: ``"give [COUNT] ITEM to WHOM"``.
        aliases: Further words for the literal words at the pattern's start.
        help: One line; the method's docstring is what `help WORD` adds to it.
        role: Who may use it, at least.
    """

    def mark(function: F) -> F:
        _marked(function, CommandMark(pattern, aliases, help, role))
        return function

    return mark


def every(*, seconds: float = 0.0, minutes: float = 0.0, hours: float = 0.0) -> Callable[[F], F]:
    """Call a method of a module again and again, from the room's start on.

    Raises:
        GameError: The interval is shorter than 10 ms; use `wake` for a heartbeat.
    """
    interval = seconds + 60 * minutes + 3600 * hours
    if interval < 0.01:
        raise GameError("@every needs an interval, as in @every(minutes=10), of at least 0.01 seconds.")

    def mark(function: F) -> F:
        _marked(function, EveryMark(interval))
        return function

    return mark


def on(event: type[Event]) -> Callable[[F], F]:
    """Call a method of a module whenever this event is emitted in the room, or mailed to it."""
    if Event not in getattr(event, "__mro__", ()):
        raise GameError(f"@on takes a class of events, as in @on(Died), not {event!r}.")

    def mark(function: F) -> F:
        _marked(function, OnMark(event))
        return function

    return mark


def migrate(row: type[Row], version: int, *, to: int | None = None) -> Callable[[M], M]:
    """Make a function the migration of a row type from `version` of its module to the next, or back `to` one before.

    The function takes the stored fields as a dictionary and returns those of the other version. It sees nothing else.
    """

    def mark(function: M) -> M:
        _marked(function, MigrateMark(row, version, version + 1 if to is None else to))
        return function

    return mark
