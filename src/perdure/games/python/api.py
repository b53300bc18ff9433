"""What an author's code reaches: `self` (a module), `self.room`, and `player`.

Everything here is valid during one callback only, and does nothing by itself: it hands what was asked for
to the `Engine` that runs the callback.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from random import Random
from typing import Any, ClassVar, Generic, Literal, NoReturn, Protocol, TypeVar, TypeVarTuple, overload

import msgspec

from perdure.games.python.gmcp import message
from perdure.games.python.marks import Event
from perdure.games.python.text import unaccented
from perdure.room.callback import Callback
from perdure.room.program import Refusal
from perdure.room.record import End, Go, Text
from perdure.room.seats import Seat

Plain = None | bool | int | float | str | bytes | list["Plain"] | dict[str, "Plain"]
"""What timers, questions and answers carry."""

T = TypeVar("T")
M = TypeVar("M", bound="Module")
Ts = TypeVarTuple("Ts")
As = TypeVarTuple("As")


class Engine(Protocol):
    """What runs a room's callbacks; see `binding`."""

    @property
    def callback(self) -> Callback:
        """The callback that runs now. Raises GameError outside of one."""
        ...

    @property
    def acting(self) -> Callback:
        """The same, to do something in it. Raises GameError also in a hook that only looks."""
        ...

    def players(self) -> list[Player]: ...
    def module(self, kind: type[M]) -> M: ...
    def handler_name(self, method: Callable[..., object]) -> str: ...
    def ask(
        self,
        function: Callable[..., object] | str,
        args: tuple[object, ...],
        then: str,
        context: tuple[object, ...],
        timeout: float,
        idempotent: bool,
    ) -> None: ...
    def set_timer(self, seconds: float, handler: str, args: tuple[object, ...]) -> str: ...
    def set_question(self, session: str, handler: str, args: tuple[object, ...]) -> None: ...
    def emit(self, event: Event, source: str) -> None: ...
    def locked(self, feature: str) -> str: ...
    def check_room(self, room: str) -> str: ...
    def depart(self, player: Player) -> None: ...
    def refresh(self, player: Player) -> None: ...


class Player:
    """Somebody who is in the room.

    Attributes:
        id: Who they are: the account's, the same for ever. Key rows by it.
        name: As everybody reads it; `str(player)` is the same.
        role: player, builder or admin.
    """

    def __init__(self, engine: Engine, session: str, seat: Seat) -> None:
        self._engine, self._session, self._seat = engine, session, seat
        self.id, self.name, self.role = seat.who.id, seat.who.name, seat.who.role

    @property
    def columns(self) -> int:
        """Width of the player's window in characters, or where they wrap if that is less; 80 if nobody says."""
        return self._seat.columns

    @property
    def rows(self) -> int:
        """Height of the player's window in lines; 24 if their client does not say."""
        return self._seat.rows

    @property
    def screenreader(self) -> bool:
        """Whether the player listens to the text: write one item per line, and draw nothing with characters."""
        return self._seat.screenreader

    def tell(self, text: str) -> None:
        """Show `text` to this player alone."""
        self._engine.acting.output([self._session], Text(_line(text)))

    def send(self, package: str, data: object) -> None:
        """Send this player's client a GMCP message: ``player.send("Comm.Channel.Text", {"text": "Hello."})``.

        What tells of something that happened belongs to a package that begins with ``Comm.``: each such message is
        sent. Of every other package a client is given how things stand: the last message, and not the same one twice.

        Args:
            package: Words with dots between.
            data: Plain data: numbers, text, booleans, None, lists and dicts of these; 16 KiB as JSON at most.
        """
        self._engine.acting.output([self._session], Text("", None, message(package, data)))

    def refresh(self) -> None:
        """Call the hooks `prompt` and `gmcp` for this player at the end of the callback, though nothing was told."""
        self._engine.refresh(self)

    def ask(self, question: str, then: Callable[[Player, str, *Ts], object], *args: *Ts) -> None:
        """Show `question`; the next line that the player types goes to the method `then(player, line, *args)`.

        A later question replaces one that was not answered. `args` are plain data.
        """
        handler = self._engine.handler_name(then)
        self._engine.set_question(self._session, handler, args)
        self.tell(question)

    def go(self, room: str) -> None:
        """Move the player to another room, where they join. What they type from here on is for that room.

        The `leave` hooks run first, in this callback.
        """
        self._engine.check_room(room)
        self._engine.depart(self)
        self._engine.acting.output([self._session], Go(room, -1))

    def end(self, reason: str) -> None:
        """End the player's session; `reason` is shown. The `leave` hooks run first, in this callback."""
        self._engine.depart(self)
        self._engine.acting.output([self._session], End(_line(reason)[:-1]))

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<Player {self.name}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Player) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)


class Players:
    """The players in the room: loop over them, count them, find them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __iter__(self) -> Iterator[Player]:
        return iter(self._engine.players())

    def __len__(self) -> int:
        return len(self._engine.players())

    def __contains__(self, player: object) -> bool:
        return player in self._engine.players()

    def get(self, id: str) -> Player | None:
        """The player with this id, None if they are not here."""
        return next((player for player in self if player.id == id), None)

    def named(self, name: str) -> list[Player]:
        """Whoever goes by this name; else everybody whose name begins so.

        Case does not matter. Accents do only while somebody has them as typed: ``zoe`` finds Zoë where no Zoe is.
        """
        for fits in (str.__eq__, str.startswith):
            for spelled in (str.casefold, unaccented):
                if found := [player for player in self if fits(spelled(player.name), spelled(name))]:
                    return found
        return []


class Answer(msgspec.Struct, Generic[T], frozen=True):
    """What came of `room.ask`. Exactly one of `ok`, `interrupted`, `timed_out` and `error` holds.

    Attributes:
        value: What the function returned, as plain data; only of use if `ok`.
        ok: Whether it returned.
        interrupted: A crash came between; nobody knows how far it got.
        timed_out: It took too long; it may still be running.
        error: One line about what it raised, else "".
    """

    value: T
    ok: bool = False
    interrupted: bool = False
    timed_out: bool = False
    error: str = ""


class Veto(msgspec.Struct, frozen=True):
    """Why the server's program should not be replaced now, and for how long that will be so.

    Attributes:
        reason: One line, for the operator and for players.
        seconds, minutes: For how long, together; 0 = nobody knows.
    """

    reason: str
    seconds: float = 0.0
    minutes: float = 0.0

    @property
    def for_s(self) -> float:
        """For how many seconds."""
        return self.seconds + 60 * self.minutes


class Room:
    """The room that a module is in: what all its modules share."""

    def __init__(self, engine: Engine, id: str) -> None:
        self._engine = engine
        self.id = id
        self.players = Players(engine)

    @property
    def now(self) -> float:
        """Seconds since 1970 on the room's clock, which rises with every callback and never goes back."""
        return self._engine.callback.now_us / 1_000_000

    @property
    def random(self) -> Random:
        """Randomness for this callback."""
        return self._engine.callback.random

    def __getitem__(self, module: type[M]) -> M:
        """This room's instance of a module: `self.room[Items]`."""
        return self._engine.module(module)

    def after(self, seconds: float, then: Callable[[*Ts], object], *args: *Ts) -> str:
        """Call the method `then(*args)` in so many seconds. Returns an id for `cancel`. `args` are plain data."""
        return self._engine.set_timer(seconds, self._engine.handler_name(then), args)

    def cancel(self, timer: str) -> bool:
        """Forget a timer. Returns whether it was still to come."""
        return self._engine.acting.cancel_timer(timer)

    @overload
    def ask(
        self,
        function: Callable[[*As], Awaitable[T]],
        *args: *As,
        then: Callable[[Answer[T], *Ts], object],
        context: tuple[*Ts] = ...,
        timeout: float = ...,
        idempotent: bool = ...,
    ) -> None: ...
    @overload
    def ask(
        self,
        function: Callable[[*As], T],
        *args: *As,
        then: Callable[[Answer[T], *Ts], object],
        context: tuple[*Ts] = ...,
        timeout: float = ...,
        idempotent: bool = ...,
    ) -> None: ...
    @overload
    def ask(
        self,
        function: str,
        *args: Any,
        then: Callable[[Answer[Any], *Ts], object],
        context: tuple[*Ts] = ...,
        timeout: float = ...,
        idempotent: bool = ...,
    ) -> None: ...
    def ask(  # type: ignore[misc]  # mypy does not match *args: *As of an overload with its implementation
        self,
        function: Any,
        *args: Any,
        then: Callable[..., object],
        context: tuple[Any, ...] = (),
        timeout: float = 10.0,
        idempotent: bool = False,
    ) -> None:
        """Ask the outside, and go on; the method `then(answer, *context)` takes the answer, which always comes.

        Args:
            function: A plain function of one of the game's modules (blocking ones run in a thread, async ones on
                the host's loop; neither may touch the room), or the name of a service of the host.
            args: Plain data, handed to it.
            then: A method of a module of this room.
            context: Plain data, handed on to `then`.
            timeout: Seconds to wait.
            idempotent: Whether it may be asked again when a crash came between; else the answer is `interrupted`.
        """
        self._engine.ask(function, args, self._engine.handler_name(then), context, timeout, idempotent)

    def emit(self, event: Event) -> None:
        """Call every `@on` handler for the event, in this callback: all of it happens, or none."""
        self._engine.emit(event, self.id)

    def locked(self, feature: str) -> str:
        """Why nobody may begin with this feature now, because the server is about to be replaced; else "".

        The operator says in perdure.toml which features are locked, and how many seconds before.
        """
        return self._engine.locked(feature)

    def match_over(self) -> None:
        """Say that now is a good moment for new code: for games that take it between matches (`update = "match"`)."""
        self._engine.acting.match_over = True

    def mail(self, room: str, event: Event) -> None:
        """Hand the event to another room's `@on` handlers, exactly once, after this callback."""
        body = msgspec.msgpack.encode((type(event).__name__, event))
        self._engine.acting.effect(f"room:{self._engine.check_room(room)}", body)


class Module:
    """A part of a game: tables, commands, handlers and timers that belong together. One instance for each room.

    Attributes:
        room: The room.
        version: Of the rows in this module's tables; raised together with a `@migrate`.
        stored_as: Under which name the tables are stored; by default the class's name in lower case.
    """

    room: Room
    version: ClassVar[int] = 1
    stored_as: ClassVar[str] = ""

    def say(self, text: str, *, to: Iterable[Player] | None = None, but: Player | Iterable[Player] = ()) -> None:
        """Show `text` to everybody in the room, or to those in `to`, but not to those in `but`."""
        without = {but} if isinstance(but, Player) else set(but)
        sessions = [p._session for p in (self.room.players if to is None else to) if p not in without]
        self.room._engine.acting.output(sessions, Text(_line(text)))

    def refuse(self, text: str) -> NoReturn:
        """End this callback, undo what it did, and show `text` to the player who caused it."""
        raise Refusal(_line(text)[:-1])

    def start(self) -> None:
        """Called once in the room's life, before anything else."""

    def join(self, player: Player) -> None:
        """Called when a player comes. `self.refuse(…)` sends them to the fallback room."""

    def rejoin(self, player: Player) -> None:
        """Called when a player who is here goes on from another client: it shows nothing yet. Show where they are."""

    def leave(self, player: Player) -> None:
        """Called when a player goes, for whatever reason."""

    def wake(self) -> None:
        """Called `wake_hz` times a second, if the game declares it."""

    def close(self) -> None:
        """Called before the room ends for good."""

    def gmcp(self, player: Player) -> Mapping[str, object]:  # noqa: ARG002  (for those who override it)
        """How things stand for the player: GMCP packages and their plain data, for clients that show them.

        Called at the end of each callback in which the player was told something or that they caused, and when
        the game asks for it by `player.refresh()`. It only looks. What has not changed is not sent again.
        """
        return {}

    def veto_copyover(self) -> str | Veto | None:
        """Called before the server's program is replaced. Returns why that should not be now, or None.

        Nothing that it does is kept: it only looks.
        """
        return None

    def __setattr__(self, name: str, value: object) -> None:
        kind = type(self).__name__
        raise AttributeError(
            f"{kind}.{name} cannot be set: an attribute would be forgotten at the next reload or crash. "
            f"Declare a table in {kind}, and keep the value in one of its rows."
        )


class Game(Module):
    """The module that every game has exactly one of. It says how the game's rooms live.

    Attributes:
        lifecycle: resident: the room is always there. resumable: parked after nobody was there for `grace_s`
            seconds. ephemeral: closed and forgotten then.
        wake_hz: Calls of `wake` a second, 0 to 60.
        budget_s: A callback that takes longer is cut and undone.
    """

    lifecycle: ClassVar[Literal["resident", "resumable", "ephemeral"]] = "resident"
    grace_s: ClassVar[float] = 60.0
    wake_hz: ClassVar[float] = 0.0
    budget_s: ClassVar[float] = 1.0

    def input(self, player: Player, line: str) -> bool | None:  # noqa: ARG002  (for those who override it)
        """Sees every line before the commands do. Returns True when it is done with it."""
        return None

    def prompt(self, player: Player) -> str:  # noqa: ARG002  (for those who override it)
        """What stands before the line that the player types; "" for nothing. Called when `gmcp` is. It only looks."""
        return ""


def _line(text: str) -> str:
    """A whole line that can be sent; half of a surrogate pair is the author's mistake, here and not in the journal."""
    if not text.isascii():
        text.encode()
    return text if text.endswith("\n") else text + "\n"
