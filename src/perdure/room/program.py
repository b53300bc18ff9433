"""What the room machine needs of a game, whatever it is written in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from perdure.room.callback import Blamed, Callback
from perdure.room.record import Cause
from perdure.room.tables import Table, TableSpec


class Lifecycle(msgspec.Struct, frozen=True):
    """How long a room lives, and how it is driven.

    Attributes:
        kind: resident: always there. resumable: may be parked when nobody has been there for `grace_s`.
            ephemeral: closed then, and its state forgotten.
        grace_s: Seconds without a seat before either happens.
        wake_hz: Heartbeat, 0 for none, at most 60.
        budget_s: A callback that takes longer is cut and undone.
    """

    kind: Literal["resident", "resumable", "ephemeral"] = "resident"
    grace_s: float = 60.0
    wake_hz: float = 0.0
    budget_s: float = 1.0


class Faulted(msgspec.Struct, frozen=True):
    """What is known of a handler of a game that has failed.

    Attributes:
        count: How often, as far as this host knows.
        recent_us: When last, by the rooms' clock: as many times as decide about it.
        disabled: Whether it is not called any more.
    """

    count: int
    recent_us: list[int]
    disabled: bool


class Refusal(Exception):  # (authors raise it as a word, not as an error)
    """Game code says no: the callback is undone and the player who caused it reads `text`.

    In a join the player is sent to the fallback room instead.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Overrun(BaseException):
    """A callback exceeded its budget and was cut."""


class Vetoed(msgspec.Struct, frozen=True):
    """What a module of a game has against it that the program is replaced now.

    Attributes:
        module: Which one.
        reason: One line for people.
        for_s: For how long, as far as it knows; 0 = it does not.
        error: What it raised in place of an answer: that is no veto, but somebody has to hear of it.
    """

    module: str
    reason: str = ""
    for_s: float = 0.0
    error: BaseException | None = None


class Handler(Protocol):
    """A game bound to one room.

    Attributes:
        blamed: What `explain` was asked about last.
    """

    blamed: Blamed

    def call(self, callback: Callback, cause: Cause) -> None:
        """Run the game's code for `cause`. Whatever it raises, but `Refusal`, is a fault."""
        ...

    def explain(self, cause: Cause, error: BaseException) -> str:
        """One line for the player whose event faulted."""
        ...

    def handles(self, handler: str) -> bool:
        """Whether this code has the handler that a timer or a question names."""
        ...

    def let_go(self) -> None:
        """The room goes on with another handler. What refers to itself in a circle is taken apart here, so that a
        swap leaves nothing to the garbage collector: it would stop all rooms of a host."""
        ...

    def wants_start(self) -> bool:
        """Whether a part of the game is new to this room, which is running, and wants its `start` to be called."""
        ...

    def vetoers(self) -> Sequence[str]:
        """The modules that want to be asked before the program is replaced."""
        ...

    def veto(self, callback: Callback, module: str) -> Vetoed | None:
        """Ask one of them. What the callback gathers is thrown away; whatever it raises is no veto."""
        ...


class Program(Protocol):
    """One game in one generation of its code."""

    game: str
    generation: str
    lifecycle: Lifecycle

    @property
    def tables(self) -> Mapping[str, TableSpec]:
        """Table name -> how its rows are typed."""
        ...

    @property
    def versions(self) -> Mapping[str, int]:
        """Module name -> version."""
        ...

    def bind(self, room: str, tables: Mapping[str, Table[Any, Any]]) -> Handler:
        """A handler for the room; called once for each room, new or restored."""
        ...
