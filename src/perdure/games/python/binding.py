"""A Python game in one room: turns causes into calls of the author's methods.

Beside the author's tables it keeps its own in the room (see `own`): questions that wait for a player's next
line, the intervals for which timers were set, and which modules have begun. So all survive what the room survives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

import msgspec

from perdure.errors import GameError, one_line
from perdure.games.python.api import Answer, Game, Module, Player, Room, Veto
from perdure.games.python.collect import VETO, Collected, Command, Part
from perdure.games.python.health import FAULTS_MAX, Health
from perdure.games.python.marks import Event
from perdure.games.python.own import (
    BEGUN,
    INTERVALS,
    QUESTIONS,
    SERVICES,
    Begun,
    Interval,
    Question,
    is_own,
    own_answer,
    own_command,
    own_request,
)
from perdure.games.python.patterns import Token, Unfit
from perdure.games.python.plain import encode_plain
from perdure.games.python.standing import Standing
from perdure.games.python.words import Words
from perdure.room.callback import Blamed, Callback
from perdure.room.program import Overrun, Vetoed
from perdure.room.record import (
    Answered,
    Cause,
    Closed,
    End,
    Gone,
    Input,
    Join,
    Leave,
    Mailed,
    Request,
    Resize,
    Started,
    Text,
    TimerFired,
    Wake,
)
from perdure.room.record import Event as SeatEvent
from perdure.room.tables import Table

M = TypeVar("M", bound=Module)


LINE_MAX = 200
"""Characters of an error's message that admins are shown, and of a veto's reason."""


DISABLED = "That is disabled: it kept failing. It comes back when its code is mended."

ASKED = "You were asked something before. Your next line is the answer."
"""For who sees an empty window: the question itself is nowhere kept."""

_mail_decoder = msgspec.msgpack.Decoder(tuple[str, msgspec.Raw])


class Binding:
    """One room's modules, and the callback that runs in them. See `perdure.room.program.Handler`."""

    def __init__(
        self,
        room: str,
        tables: Mapping[str, Table[Any, Any]],
        collected: Collected,
        health: Health,
        function_name: Callable[[Callable[..., object]], str],
        locks: Mapping[str, str],
        prompted: bool,
    ) -> None:
        self._collected, self._health, self._function_name = collected, health, function_name
        self._locks = locks
        self._words = Words(collected.commands)
        self._questions: Table[Question] = tables[QUESTIONS]
        self._intervals: Table[Interval] = tables[INTERVALS]
        self._begun: Table[Begun] = tables[BEGUN]
        self.room = Room(self, room)
        self._modules: dict[str, Module] = {}
        for part in collected.parts:
            module = self._modules[part.name] = part.kind()
            vars(module).update({name: tables[stored] for name, stored in part.tables.items()}, room=self.room)
        self._kinds = {part.kind: self._modules[part.name] for part in collected.parts}
        self._standing = Standing.of(collected, self._modules, health.disabled, self._book, prompted)
        self._refreshed: dict[str, None] = {}
        self._looking = False
        self._callback: Callback | None = None
        self._now_us = 0
        self._command: Command | None = None
        self._failed = self._counted = ""
        self.blamed = Blamed()
        self._timers_set = False
        self._joining = ""
        self._arrived: list[Part] = []
        self._departing: set[str] = set()
        self._notices: list[str] = []
        self._notices_sent = 0

    # -- for the room machine -----------------------------------------------------------------------

    def call(self, callback: Callback, cause: Cause) -> None:
        """Run the game's code for `cause`."""
        self._callback, self._now_us = callback, callback.now_us
        self._command, self._failed, self._counted, self._joining = None, "", "", ""
        self._departing.clear()
        try:
            self._set_intervals()
            self._keep_begun(cause)
            self._send_notices()
            if self._standing is None:
                self._dispatch(callback, cause)
            else:
                self._standing.begin()
                self._refreshed.clear()
                self._dispatch(callback, cause)
                self._update_standing(self._standing, callback, cause)
        except BaseException:
            self._undone()
            raise
        finally:
            self._callback = None

    def explain(self, cause: Cause, error: BaseException) -> str:  # noqa: ARG002  (`call` knows what it ran)
        """One line for the player whose event faulted; books the fault."""
        self._undone()
        command = " ".join(self._command.pattern.leading) if self._command else ""
        what = f'The command "{command}"' if command else "Something here"
        took = "took too long" if isinstance(error, Overrun) else "failed"
        line = f"{what} {took}. Nothing of it was kept, and the failure was reported."
        self.blamed = Blamed(self._failed or (self._command.handler if self._command else ""), command)
        if self._counted:
            self.blamed = self._book(self._counted, error, command)
            if self.blamed.disabled_after:
                line += " It is disabled now."
        return line

    def _book(self, handler: str, error: BaseException, command: str = "") -> Blamed:
        """Count a fault; admins are told when it was one too many."""
        disabled = self._health.book(handler, self._now_us)
        if disabled:
            notice = f"{handler} failed {FAULTS_MAX} times and is disabled until its code changes."
            self._notices.append(f"[notice] {notice} The last error: {_shown(error)}")
        return Blamed(handler, command, FAULTS_MAX if disabled else 0)

    def handles(self, handler: str) -> bool:
        """Whether this code has the method that a timer, a question or an answer waits for."""
        return is_own(handler) or callable(self._method(handler))

    def let_go(self) -> None:
        """The room goes on with another binding."""
        self._modules.clear()
        self._kinds.clear()
        self._standing = None
        del self.room

    def wants_start(self) -> bool:
        """Whether `Started` is to be run in this room, which runs already: for modules that are new to it.

        It also sets the timers of `@every` that this code declares anew, where nobody would do so for a while.
        """
        if "" not in self._begun:
            return False  # it ran under code that kept no such list: nothing in it is known to be new
        wanted = self._collected.intervals
        intervals = {handler: row.every_us for handler, row in self._intervals.scan()}
        return intervals != wanted or any(part.name not in self._begun for part in self._starting())

    def vetoers(self) -> list[str]:
        """The modules that have a `veto_copyover`."""
        return [part.name for part in self._collected.parts if VETO in part.hooks]

    def veto(self, callback: Callback, module: str) -> Vetoed | None:
        """Call a module's `veto_copyover`. It may look at everything; what it does is not kept."""
        self._callback = callback
        self._departing.clear()
        try:
            answer = self._modules[module].veto_copyover()
        finally:
            self._callback = None
        match answer:
            case None | "":
                return None
            case str():
                return Vetoed(module, _told(answer))
            case Veto(reason=str()) if 0 <= answer.for_s < math.inf:
                return Vetoed(module, _told(answer.reason), float(answer.for_s))
            case _:
                raise GameError(f"{module}.{VETO} returned {answer!r}. Return a reason as text, a Veto, or None.")

    def _undone(self) -> None:
        """What this callback set up is not there; it is to be done again."""
        self._timers_set = False
        self._notices_sent = 0
        if self._standing is not None:
            self._standing.undo()

    # -- causes -------------------------------------------------------------------------------------

    def _dispatch(self, callback: Callback, cause: Cause) -> None:
        match cause:
            case SeatEvent(session=session, body=Join()):
                self._join(self._player(session))
            case SeatEvent(session=session, body=Input(line=line)):
                self._input(self._player(session), line)
            case SeatEvent(session=session, body=Resize(anew=True)):
                self._rejoin(self._player(session))
            case SeatEvent(session=session, body=Leave()) | Gone(session=session):
                self.depart(self._player(session))
            case Wake():
                self._run_hooks(self._collected.parts, "wake")
            case TimerFired():
                assert callback.timer is not None
                self._call_handler(callback.timer.handler, *msgspec.msgpack.decode(callback.timer.args))
            case Answered() if callback.request is not None and is_own(callback.request.then):
                (session,) = msgspec.msgpack.decode(callback.request.context)
                callback.output([session], Text(own_answer(callback.request.then, cause) + "\n"))
            case Answered():
                assert callback.request is not None
                context = msgspec.msgpack.decode(callback.request.context)
                self._call_handler(callback.request.then, _answer(cause), *context)
            case Mailed(source=source, body=body):
                self._mail(source, body)
            case Started():
                self._start()
            case Closed():
                self._run_hooks(reversed(self._collected.parts), "close")

    def _run_hooks(self, parts: Iterable[Part], hook: str, *args: object) -> None:
        for part in parts:
            if hook in part.hooks:
                self._run(f"{part.name}.{hook}", getattr(self._modules[part.name], hook), *args, counts=False)

    def _starting(self) -> list[Part]:
        return [part for part in self._collected.parts if "start" in part.hooks]

    def _start(self) -> None:
        """Call `start` of the modules that did not have it in this room."""
        for part in self._starting():
            if part.name not in self._begun:
                self._run_hooks([part], "start")
                self._begun[part.name] = Begun()

    def _keep_begun(self, cause: Cause) -> None:
        """Write down which modules had their `start`, from the first callback on."""
        if "" not in self._begun:
            begun = [] if isinstance(cause, Started) else self._starting()
            for name in ("", *(part.name for part in begun)):
                self._begun[name] = Begun()

    def _join(self, player: Player) -> None:
        for session, seat in list(self.callback.seats.items()):
            if seat.who.id == player.id and session != player._session:
                self.depart(Player(self, session, seat))
                self.callback.output([session], End("You are here from somewhere else now."))
        self._joining, self._arrived = player._session, []
        if self._standing is not None:
            self._standing.forget(player._session)
        for part in self._collected.parts:
            if player._session not in self.callback.seats:
                return
            self._arrived.append(part)
            self._run_hooks([part], "join", player)

    def _rejoin(self, player: Player) -> None:
        self._run_hooks(self._collected.parts, "rejoin", player)
        if player._session in self._questions:
            player.tell(ASKED)

    def _mail(self, source: str, body: bytes) -> None:
        name, data = _mail_decoder.decode(body)
        kind = self._collected.events.get(name)
        if kind is None or kind not in self._collected.listeners:
            raise GameError(f"{source} sent {name}, and no module here listens to it. It is lost. Add @on({name}).")
        self.emit(msgspec.msgpack.decode(data, type=kind), source)

    def _update_standing(self, standing: Standing, callback: Callback, cause: Cause) -> None:
        """Call the hooks for who caused this, who was told something, and whom the game named."""
        sessions = self._refreshed
        if isinstance(cause, SeatEvent):
            sessions[cause.session] = None
        for told, output in callback.outputs:
            if type(output) is Text:
                sessions.update(dict.fromkeys(told))
        seats, departing = callback.seats, self._departing
        here = [session for session in sessions if session in seats and session not in departing]
        self._looking = True
        try:
            standing.update(callback, [Player(self, session, seats[session]) for session in here])
        except BaseException:  # a hook was cut; it is to blame, and not the command before it
            self._failed = self._counted = standing.running
            self._command = None
            raise
        finally:
            self._looking = False

    # -- lines --------------------------------------------------------------------------------------

    def _input(self, player: Player, line: str) -> None:
        own = own_command(line)
        if own is not None:
            key = f"{self.room.id}/{self.callback.next_request}"
            self.callback.ask(own_request(own, player, player._session, line, key))
            return
        question = self._questions.pop(player._session, None)
        if question is not None and self._method(question.handler):
            if question.handler in self._health.disabled:
                player.tell(DISABLED)
            self._call_handler(question.handler, player, line, *msgspec.msgpack.decode(question.args))
            return
        game = cast(Game, self._kinds[self._collected.game])
        if self._collected.game.input is not Game.input:
            name = f"{self._collected.parts[-1].name}.input"
            if self._run(name, game.input, player, line, counts=False):
                return
        if line.strip():
            self._line(player, line.strip())

    def _line(self, player: Player, line: str) -> None:
        command, words = self._words.find(player, line)
        if command is None:
            player.tell(self._words.unknown(player, words))
        elif command.handler in self._health.disabled:
            player.tell(DISABLED)
        else:
            self._command = command
            try:
                values = self._values(command, line, words)
            except Unfit as unfit:
                self._command = None
                player.tell(f"{unfit} Usage: {command.pattern.usage}".strip())
            else:
                self._run(command.handler, self._method(command.handler), player, **values)

    def _values(self, command: Command, line: str, words: list[Token]) -> dict[str, Any]:
        values: dict[str, Any] = dict(command.pattern.match(line, words))
        for param in command.pattern.params:
            if param.kind == "Player" and param.name in values:
                values[param.name] = self._named(values[param.name])
        return values

    def _named(self, name: str) -> Player:
        found = self.room.players.named(name)
        if len(found) != 1:
            names = ", ".join(player.name for player in found)
            raise Unfit(f"Whom do you mean: {names}?" if found else f"Nobody called {name} is here.")
        return found[0]

    # -- calling the author's methods ---------------------------------------------------------------

    def _method(self, handler: str) -> Any:
        owner, _, name = handler.partition(".")
        module = self._modules.get(owner)
        return None if module is None else getattr(module, name, None)

    def _call_handler(self, handler: str, *args: object) -> None:
        method = self._method(handler)
        if method is None:
            raise GameError(f"the game has no {handler} any more, which earlier code wanted called.")
        if handler not in self._health.disabled:
            self._run(handler, method, *args)

    def _run(self, handler: str, method: Callable[..., Any], *args: object, counts: bool = True, **values: Any) -> Any:
        """Call an author's method; what it raises is its own fault, not that of the method that led to it."""
        try:
            return method(*args, **values)
        except BaseException:
            self._failed = self._failed or handler
            if counts and not self._counted:
                self._counted = handler
            raise

    def _set_intervals(self) -> None:
        """Set the timers of `@every`, and forget those that the code does not declare any more."""
        if self._timers_set:
            return
        wanted = self._collected.intervals
        for handler, every_us in wanted.items():
            known = self._intervals.peek(handler)
            if known is None or known.every_us != every_us:
                self._intervals[handler] = Interval(every_us)
                due_us = self.callback.now_us + every_us
                self.callback.set_timer(due_us, handler, id=f"every:{handler}", every_us=every_us)
        for handler in [handler for handler in self._intervals if handler not in wanted]:
            del self._intervals[handler]
            self.callback.cancel_timer(f"every:{handler}")
        self._timers_set = True

    def _send_notices(self) -> None:
        """Tell admins what was disabled. What was sent in a callback that was undone is sent again."""
        del self._notices[: self._notices_sent]
        self._notices_sent = 0
        if not self._notices:
            return
        admins = [session for session, seat in self.callback.seats.items() if seat.who.role == "admin"]
        for notice in self._notices:
            self.callback.output(admins, Text(notice + "\n"))
        self._notices_sent = len(self._notices)

    # -- for the author's API: see `api.Engine` -------------------------------------------------------

    @property
    def callback(self) -> Callback:
        """The callback that runs now."""
        if self._callback is None:
            raise GameError("rooms and players can be used during a callback only, not from a thread or afterwards.")
        return self._callback

    @property
    def acting(self) -> Callback:
        """The callback that runs now, to do something in it."""
        self._check_acting()
        return self.callback

    def _check_acting(self) -> None:
        if self._looking:
            raise GameError(
                "a prompt or gmcp hook only looks: it cannot tell, ask, send or end anything. Do that in a command, "
                "a timer or an @on method."
            )

    def refresh(self, player: Player) -> None:
        """Call the hooks for the player at the callback's end."""
        if self._standing is not None:
            self._refreshed[player._session] = None

    def players(self) -> list[Player]:
        """Everybody in the room."""
        return [Player(self, session, seat) for session, seat in self.callback.seats.items()]

    def _player(self, session: str) -> Player:
        return Player(self, session, self.callback.seats[session])

    def module(self, kind: type[M]) -> M:
        """The room's instance of a module."""
        if kind not in self._kinds:
            raise GameError(f"{kind.__name__} is no module of this game.")
        return cast(M, self._kinds[kind])

    def named(self, name: str) -> Module:
        """The room's instance of a module, by the name that its tables are stored under."""
        return self._modules[name]

    def handler_name(self, method: Callable[..., object]) -> str:
        """How a method is stored: ``module.method``."""
        owner = getattr(method, "__self__", None)
        for name, module in self._modules.items():
            if module is owner:
                return f"{name}.{method.__name__}"
        raise GameError(
            f"{method!r} is no method of a module in this room, so its name would mean nothing later. "
            f"Pass self.some_method, and what it needs as arguments."
        )

    def set_timer(self, seconds: float, handler: str, args: tuple[object, ...]) -> str:
        """Set a timer."""
        due_us = self.acting.now_us + round(max(0.0, seconds) * 1_000_000)
        return self.callback.set_timer(due_us, handler, encode_plain(args))

    def set_question(self, session: str, handler: str, args: tuple[object, ...]) -> None:
        """Let the session's next line go to a method."""
        self._check_acting()
        self._questions[session] = Question(handler, encode_plain(args))

    def ask(
        self,
        function: Callable[..., object] | str,
        args: tuple[object, ...],
        then: str,
        context: tuple[object, ...],
        timeout: float,
        idempotent: bool,
    ) -> None:
        """Ask the outside."""
        name = function if isinstance(function, str) else self._function_name(function)
        if name.startswith(SERVICES):
            raise GameError(
                f"{name} is the server's own, and no game can ask for it. Pass a plain function of the game."
            )
        timeout_us = round(timeout * 1_000_000)
        self.acting.ask(Request(name, encode_plain(args), then, encode_plain(context), timeout_us, idempotent))

    def emit(self, event: Event, source: str) -> None:
        """Call who listens to the event."""
        for listener in self._collected.listeners.get(type(event), ()):
            self._call_handler(listener.handler, event, *([source] if listener.takes_source else []))

    def locked(self, feature: str) -> str:
        """Why a feature must not be begun now; "" if nothing is in its way."""
        return self._locks.get(feature, "")

    def check_room(self, room: str) -> str:
        """The id of a room that exists."""
        if room not in self.callback.rooms:
            raise GameError(f"there is no room {room!r}; there are {', '.join(sorted(self.callback.rooms)) or 'none'}.")
        return room

    def depart(self, player: Player) -> None:
        """Run the leave hooks of those whose join ran, and forget what waits for the player."""
        self._check_acting()
        if self._standing is not None:
            self._standing.forget(player._session)
        if player._session in self._departing:
            raise GameError(f"{player} is leaving already; a leave hook cannot send them elsewhere.")
        self._departing.add(player._session)
        parts: Sequence[Part] = self._arrived if self._joining == player._session else self._collected.parts
        self._run_hooks(reversed(parts), "leave", player)
        self._questions.pop(player._session, None)


def _told(reason: str) -> str:
    """A reason as one line that can be sent; half of a surrogate pair is the author's mistake."""
    reason.encode()
    return " ".join(reason.split())[:LINE_MAX]


def _shown(error: BaseException) -> str:
    return one_line(error).partition("\n")[0][:LINE_MAX]


def _answer(cause: Answered) -> Answer[Any]:
    body = msgspec.msgpack.decode(cause.body)
    return Answer(
        body if cause.status == "ok" else None,
        ok=cause.status == "ok",
        interrupted=cause.status == "interrupted",
        timed_out=cause.status == "timeout",
        error=str(body) if cause.status == "error" else "",
    )
