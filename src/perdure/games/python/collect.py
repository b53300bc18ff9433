"""What a game's classes declare, collected and checked. Nothing of the game runs here.

Every mistake that can be seen without running the game is a `GameError` with the author's file and line.
"""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from perdure.errors import GameError, RowError
from perdure.games.python.api import Game, Module
from perdure.games.python.inspecting import (
    Place,
    check_parameters,
    classes,
    in_order,
    is_key,
    kinds_of,
    methods_of,
    migrations_in,
    place_of,
)
from perdure.games.python.marks import CommandMark, Event, EveryMark, MigrateMark, OnMark, marks_of
from perdure.games.python.patterns import Pattern, PatternError
from perdure.ports import ROLES
from perdure.room.tables import Migration, Row, Table, TableSpec

WAKE_HZ_MAX = 60
VETO = "veto_copyover"
HOOKS = ("start", "join", "rejoin", "leave", "wake", "close", "gmcp", VETO)
ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "start": (),
    "join": ("player",),
    "rejoin": ("player",),
    "leave": ("player",),
    "wake": (),
    "close": (),
    "gmcp": ("player",),
    "prompt": ("player",),
    VETO: (),
    "input": ("player", "line"),
}
"""What the hooks are called with."""


class Command(NamedTuple):
    """A command of a module.

    Attributes:
        handler: ``module.method``.
        label: ``Class.method``, for errors.
        pattern: Its usage.
        words: The leading words that mean it: the pattern's own, then the aliases'.
    """

    handler: str
    label: str
    pattern: Pattern
    words: tuple[tuple[str, ...], ...]
    help: str
    doc: str
    role: str
    place: Place


class Listener(NamedTuple):
    """An `@on` method of a module."""

    handler: str
    takes_source: bool


class Part(NamedTuple):
    """One `Module` class of a game.

    Attributes:
        kind: The class.
        name: Under which its tables and handlers are known.
        tables: Attribute -> stored name.
        hooks: Those that it has.
    """

    kind: type[Module]
    name: str
    tables: Mapping[str, str]
    hooks: frozenset[str]


class Collected:
    """Everything that a game declares.

    Attributes:
        game: The `Game` class.
        parts: By load order, the game last.
        commands: Leading words -> command.
        listeners: Event class -> who listens, in the order of the parts.
        events: Name of an event's class -> the class.
        intervals: Handler of an `@every` -> microseconds.
        tables: Stored name -> how its rows are typed.
        prompts: Whether the game has a `prompt`.
    """

    def __init__(self, modules: Mapping[str, types.ModuleType], texts: Mapping[str, str], only: type[Game] | None):
        """Args:
        modules: The game's modules, by their names inside the game.
        texts: File -> its text, to find lines in.
        only: The `Game` to take when a module has several, as tests may.
        """
        self._texts = texts
        modules = in_order(modules)
        kinds = list(classes(modules, Module))
        self.game = self._one_game([k for k in kinds if issubclass(k, Game)]) if only is None else only
        ordered = [k for k in kinds if not issubclass(k, Game)] + [self.game]
        migrations = list(migrations_in(modules))
        self.commands: dict[tuple[str, ...], Command] = {}
        self.listeners: dict[type[Event], list[Listener]] = {}
        self.intervals: dict[str, int] = {}
        self.tables: dict[str, TableSpec] = {}
        self.events = self._named(classes(modules, Event))
        self.parts = [self._part(kind, migrations) for kind in ordered]
        self.prompts = self.game.prompt is not Game.prompt
        for module in modules.values():
            self._check_homeless(module)
        self._check_names()
        self._check_game()

    # -- the game ---------------------------------------------------------------------------------

    def _one_game(self, games: list[type[Module]]) -> type[Game]:
        if not games:
            raise GameError("there is no class Game here. Begin with: class MyGame(Game), from perdure import Game.")
        if len(games) > 1:
            both = " and ".join(f"{kind.__name__} ({self._place(kind)})" for kind in games)
            raise GameError(f"a game has one class Game, and here are {both}. Make all but one a Module.")
        return typing.cast("type[Game]", games[0])

    def _check_game(self) -> None:
        game = self.game
        if not 0 <= game.wake_hz <= WAKE_HZ_MAX:
            self._fail(game, "wake_hz", f"wake_hz is {game.wake_hz}; it can be 0 to {WAKE_HZ_MAX}.")
        if game.lifecycle not in ("resident", "resumable", "ephemeral"):
            self._fail(game, "lifecycle", f"it is {game.lifecycle!r}; it can be resident, resumable or ephemeral.")
        for part in self.parts:
            if "wake" in part.hooks and not game.wake_hz:
                self._fail(part.kind, "wake", f"it would never run: give {game.__name__} a wake_hz, say 10.")

    def _check_names(self) -> None:
        seen: dict[str, type[Module]] = {}
        for part in self.parts:
            if part.name in seen:
                other = seen[part.name]
                raise GameError(
                    f"the modules {other.__name__} ({self._place(other)}) and {part.kind.__name__} "
                    f"({self._place(part.kind)}) have one name, {part.name!r}. Rename one, or give it a `stored_as`."
                )
            if not part.name.isidentifier() or part.name == "perdure":
                self._fail(part.kind, "stored_as", f"{part.name!r} cannot be a module's name; write one word.")
            seen[part.name] = part.kind

    def _check_homeless(self, module: types.ModuleType) -> None:
        """Refuse marks on what is no method of a module: nobody would ever call it."""
        for value in vars(module).values():
            if getattr(value, "__module__", None) != module.__name__:
                continue
            if isinstance(value, types.FunctionType):
                if any(not isinstance(mark, MigrateMark) for mark in marks_of(value)):
                    self._refuse(value, f"{value.__name__} stands outside of a class. Move it into a Game or Module.")
            elif isinstance(value, type) and not issubclass(value, Module):
                for function in vars(value).values():
                    if isinstance(function, types.FunctionType) and marks_of(function):
                        self._refuse(function, f"{value.__name__} is no Module. Write: class {value.__name__}(Module).")

    def _named(self, events: Iterator[type[Event]]) -> dict[str, type[Event]]:
        named: dict[str, type[Event]] = {}
        for event in events:
            if event.__name__ in named:
                places = f"{self._place(named[event.__name__])} and {self._place(event)}"
                raise GameError(f"two events are called {event.__name__}: {places}. Rename one.")
            named[event.__name__] = event
        return named

    # -- modules ----------------------------------------------------------------------------------

    def _part(self, kind: type[Module], migrations: list[tuple[MigrateMark, Migration]]) -> Part:
        name = kind.stored_as or kind.__name__.lower()
        for own in ("__init__", "__new__"):
            if getattr(kind, own) is not getattr(Module, own):
                self._fail(kind, own, f"a module has no {own}; start(self) runs once in a room's life.")
        for attribute in methods_of(kind):
            self._method(kind, name, attribute)
        self._check_attributes(kind)
        tables = dict(self._tables(kind, name, migrations))
        hooks = frozenset(hook for hook in HOOKS if getattr(kind, hook) is not getattr(Module, hook))
        return Part(kind, name, tables, hooks)

    def _check_attributes(self, kind: type[Module]) -> None:
        """Refuse what looks like state and is none."""
        for attribute, annotation in inspect.get_annotations(kind).items():
            if not hasattr(kind, attribute) and self._row_of(kind, attribute, annotation) is None:
                self._fail(kind, attribute, f"this is no table, so it would not be kept: {attribute}: Table[SomeRow].")
        for attribute, value in vars(kind).items():
            if isinstance(value, list | dict | set) and attribute.islower() and not attribute.startswith("__"):
                self._fail(
                    kind,
                    attribute,
                    f"all rooms would share this {type(value).__name__}, and a crash would forget it. Declare "
                    f"{attribute}: Table[SomeRow], or write it in UPPER case if it never changes.",
                )

    def _tables(
        self, kind: type[Module], name: str, migrations: list[tuple[MigrateMark, Migration]]
    ) -> Iterator[tuple[str, str]]:
        for base in reversed(kind.__mro__):
            if not issubclass(base, Module) or base in (Module, Game):
                continue
            for attribute, annotation in inspect.get_annotations(base).items():
                row = self._row_of(base, attribute, annotation)
                if row is None:
                    continue
                if hasattr(Game, attribute) or attribute == "room":
                    self._fail(base, attribute, f"{attribute} already means something in a module. Rename the table.")
                stored = f"{name}.{attribute}"
                try:
                    self.tables[stored] = TableSpec(stored, row, kind.version, self._steps(kind, row, migrations))
                except RowError as error:
                    self._fail(base, attribute, str(error))
                yield attribute, stored

    def _steps(
        self, kind: type[Module], row: type[Row], migrations: list[tuple[MigrateMark, Migration]]
    ) -> dict[tuple[int, int], Migration]:
        steps: dict[tuple[int, int], Migration] = {}
        for mark, function in migrations:
            if mark.row is row:
                if max(mark.version, mark.to) > kind.version or abs(mark.version - mark.to) != 1:
                    self._refuse(
                        typing.cast("types.FunctionType", function),
                        f"@migrate({row.__name__}, {mark.version}) leads to version {mark.to}, and {kind.__name__} is "
                        f"at version {kind.version}. Write `version = …` there; a step goes one up or one down.",
                    )
                steps[mark.version, mark.to] = function
        return steps

    def _row_of(self, kind: type[Module], attribute: str, annotation: Any) -> type[Row] | None:
        """The row type, if the annotation declares a table."""
        if isinstance(annotation, str):
            if "Table" not in annotation:
                return None
            try:
                annotation = eval(annotation, vars(sys.modules[kind.__module__]))
            except Exception as error:  # noqa: BLE001  (an author's expression may raise anything)
                self._fail(kind, attribute, f"the annotation {annotation} does not evaluate: {error}.")
        if annotation is Table:
            self._fail(kind, attribute, f"say which rows it has: {attribute}: Table[SomeRow].")
        if typing.get_origin(annotation) is not Table:
            return None
        row, *keys = typing.get_args(annotation)
        if not (isinstance(row, type) and issubclass(row, Row)):
            self._fail(kind, attribute, f"a table holds a class of rows, and {row!r} is none: class Mug(Row).")
        if keys and not is_key(keys[0]):
            self._fail(kind, attribute, f"{keys[0]} cannot be a key; use str, int or a tuple of these.")
        return row

    # -- methods ----------------------------------------------------------------------------------

    def _method(self, kind: type[Module], name: str, attribute: str) -> None:
        function = typing.cast("types.FunctionType", inspect.getattr_static(kind, attribute))
        place = Place(function.__code__.co_filename, function.__code__.co_firstlineno)
        marks = marks_of(function)
        if (marks or attribute in (*HOOKS, "input", "prompt")) and inspect.iscoroutinefunction(function):
            self._refuse(
                function,
                f"{attribute} is async, and what waits cannot be stored. Make it a plain method, and use "
                f"self.room.ask(…, then=self.method) for what takes time.",
            )
        if attribute == "prompt" and not issubclass(kind, Game):
            if not marks:
                self._refuse(function, f"the prompt is the Game's. Return it from {attribute} there, not in a Module.")
        elif attribute in ARGUMENTS:
            self._check_arguments(function, ARGUMENTS[attribute], ARGUMENTS[attribute])
        for mark in marks:
            match mark:
                case CommandMark():
                    self._command(kind, f"{name}.{attribute}", function, mark, place)
                case EveryMark(seconds):
                    self._check_arguments(function, (), ())
                    self.intervals[f"{name}.{attribute}"] = round(seconds * 1_000_000)
                case OnMark(event):
                    self._check_arguments(function, ("event",), ("event", "source"))
                    takes_source = len(inspect.signature(function).parameters) > 2
                    self.listeners.setdefault(event, []).append(Listener(f"{name}.{attribute}", takes_source))
                case MigrateMark():
                    self._refuse(function, "@migrate belongs on a plain function outside of the class.")

    def _check_arguments(self, function: types.FunctionType, least: tuple[str, ...], most: tuple[str, ...]) -> None:
        """Make sure that a method can be called with these arguments behind self."""
        for arguments in {least, most}:
            try:
                inspect.signature(function).bind("self", *arguments)
                return
            except TypeError:
                continue
        wanted = ", ".join(("self", *least))
        self._refuse(
            function, f"{function.__name__} is called with other arguments: def {function.__name__}({wanted})."
        )

    def _command(
        self, kind: type[Module], handler: str, function: types.FunctionType, mark: CommandMark, place: Place
    ) -> None:
        label = f"{kind.__name__}.{function.__name__}"
        try:
            pattern = Pattern(mark.pattern, kinds_of(function))
            check_parameters(function, pattern)
        except PatternError as error:
            raise GameError(f'the pattern "{mark.pattern}" {error}.', file=place.file, line=place.line) from error
        if mark.role not in ROLES:
            self._refuse(function, f"there is no role {mark.role!r}: player, builder or admin.")
        words = (pattern.leading, *(tuple(alias.casefold().split()) for alias in mark.aliases))
        doc = inspect.cleandoc(function.__doc__ or "")
        command = Command(handler, label, pattern, words, mark.help, doc, mark.role, place)
        for key in words:
            other = self.commands.get(key)
            if other is not None:
                raise GameError(
                    f"the command '{' '.join(key)}' is bound twice: by {other.label} ({other.place}) and by {label} "
                    f"({place}). Give one of them another word.",
                    file=place.file,
                    line=place.line,
                )
            self.commands[key] = command

    # -- places -----------------------------------------------------------------------------------

    def _fail(self, kind: type, attribute: str, message: str) -> typing.NoReturn:
        place = self._place(kind, attribute)
        raise GameError(f"{kind.__name__}.{attribute}: {message}", file=place.file, line=place.line)

    def _refuse(self, function: types.FunctionType, message: str) -> typing.NoReturn:
        code = function.__code__
        raise GameError(message, file=code.co_filename, line=code.co_firstlineno)

    def _place(self, kind: type, attribute: str = "") -> Place:
        return place_of(kind, attribute, self._texts)
