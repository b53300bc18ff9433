"""A Python game as a program that rooms run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import msgspec

from perdure.errors import GameError
from perdure.games.python.api import Game
from perdure.games.python.binding import Binding
from perdure.games.python.collect import Collected
from perdure.games.python.health import Health
from perdure.games.python.inspecting import place_of
from perdure.games.python.own import TABLES
from perdure.live.generation import Generation
from perdure.live.loader import ROOT
from perdure.live.sources import Sources
from perdure.live.tracebacks import format_error, innermost
from perdure.room.program import Faulted, Lifecycle
from perdure.room.tables import Table, TableSpec


class ModuleInfo(msgspec.Struct, frozen=True):
    """One module, for the `modules` listing.

    Attributes:
        module, generation: Which, in which code.
        commands: The words that it binds.
        faults: How often its handlers have raised.
        disabled: Its handlers that are disabled.
    """

    module: str
    generation: str
    commands: list[str]
    faults: int
    disabled: list[str]


class PythonProgram:
    """One game in one generation of its code; see `perdure.room.program.Program`.

    Attributes:
        game: The game's name in the configuration.
        generation: Hash of the sources.
        loaded: The loaded code; None for classes that were imported in the ordinary way.
        sources: What was loaded, to be stored before the first record that needs it; None for classes.
        locks: Features that must not be begun now -> why. The host sets them, for all rooms; no room stores them.
        prompted: Whether it, or the code before it, shows prompts.
    """

    def __init__(
        self,
        game: str,
        generation: str,
        modules: Mapping[str, ModuleType],
        texts: Mapping[str, str],
        *,
        only: type[Game] | None = None,
        loaded: Generation | None = None,
    ) -> None:
        self.game, self.generation, self.loaded = game, generation, loaded
        self.sources: Sources | None = loaded.sources if loaded else None
        self.collected = Collected(modules, texts, only)
        self.health = Health()
        self.locks: dict[str, str] = {}
        self.prompted = self.collected.prompts
        self._modules, self._texts = dict(modules), texts
        kind = self.collected.game
        self.lifecycle = Lifecycle(kind.lifecycle, kind.grace_s, kind.wake_hz, kind.budget_s)
        self.tables: Mapping[str, TableSpec] = {**self.collected.tables, **TABLES}
        self.versions: Mapping[str, int] = {part.name: part.kind.version for part in self.collected.parts}

    def bind(self, room: str, tables: Mapping[str, Table[Any, Any]]) -> Binding:
        """The game in one room."""
        return Binding(room, tables, self.collected, self.health, self.function_name, self.locks, self.prompted)

    def take_health(self, before: PythonProgram) -> None:
        """Go on with what is known of the modules whose class is still the same; what was edited begins well.

        The locks are shared from here on. To be called before any room is bound to this program.
        """
        self.locks = before.locks
        self.prompted |= before.prompted
        kinds = {part.name: part.kind for part in before.collected.parts}
        same = {part.name for part in self.collected.parts if kinds.get(part.name) is part.kind}
        self.health = before.health.carried(same)

    def faulted(self) -> dict[str, Faulted]:
        """Handlers that have failed: what `learn` takes, in another host that runs this code."""
        return self.health.known()

    def learn(self, faulted: Mapping[str, Faulted]) -> None:
        """Go on with what another host knows of the same code, also in rooms that run it already."""
        self.health.learn(faulted)

    @property
    def uses(self) -> int:
        """How many hold it."""
        return self.loaded.uses if self.loaded else 1

    def hold(self) -> None:
        """Keep its code loaded until `release`."""
        if self.loaded:
            self.loaded.hold()

    def release(self) -> None:
        """Let go of its code; code that nobody holds is retired."""
        if self.loaded:
            self.loaded.release()

    @property
    def libraries(self) -> set[str]:
        """Top-level packages outside of the game and of Python's own that its modules took something from."""
        origins = (
            getattr(value, "__name__" if isinstance(value, ModuleType) else "__module__", None)
            for module in list(self._modules.values())
            for value in list(vars(module).values())
        )
        roots = {origin.partition(".")[0] for origin in origins if isinstance(origin, str)}
        return roots - sys.stdlib_module_names - {ROOT}

    def blame(self, table: str, message: str) -> GameError:
        """An error about a table, with the place where it is declared."""
        for part in self.collected.parts:
            for attribute, stored in part.tables.items():
                if stored == table:
                    place = place_of(part.kind, attribute, self._texts)
                    return GameError(message, file=place.file, line=place.line)
        return GameError(message)

    def modules(self) -> list[ModuleInfo]:
        """What the game consists of, and how it fares."""
        return [self._info(part.name) for part in self.collected.parts]

    def traceback(self, error: BaseException) -> str:
        """A fault as a traceback of the game's own frames, from the source that runs."""
        return format_error(error, self._texts)

    def place(self, error: BaseException) -> tuple[str, int]:
        """File and line of the game's code where a fault happened: of its innermost frame; ("", 0) if it has none."""
        found = innermost(error, self._texts)
        return (error.file, error.line) if found is None and isinstance(error, GameError) else found or ("", 0)

    def resolve(self, function: str) -> Callable[..., Any]:
        """The plain function behind the name that `room.ask` stored, to be run by the host.

        Raises:
            GameError: This generation has no such function, or the name is a service's that this host does not have.
        """
        module, colon, name = function.partition(":")
        if not colon:
            raise GameError(f"this host has no service {function}. Pass a plain function of the game to room.ask.")
        found = getattr(self._modules.get(module), name, None)
        if not callable(found):
            raise GameError(f"the game {self.game} has no function {function} any more. It was asked by earlier code.")
        return found  # type: ignore[no-any-return]  # checked to be callable; what it takes was stored with it

    def function_name(self, function: Callable[..., object]) -> str:
        """The name to store for a plain function of the game.

        Raises:
            GameError: It is none, so a later process could not find it again.
        """
        name = getattr(function, "__name__", "")
        for dotted, module in self._modules.items():
            if vars(module).get(name) is function and getattr(function, "__module__", "") == module.__name__:
                return f"{dotted}:{name}"
        raise GameError(
            f"room.ask takes a plain function of one of the game's modules, not {function!r}: its name is what is "
            f"stored. Write `def {name if name.isidentifier() else 'fetch'}(…)` at the top of a module."
        )

    def _info(self, module: str) -> ModuleInfo:
        commands = self.collected.commands.items()
        mine = [" ".join(words) for words, command in commands if command.handler.startswith(module + ".")]
        faults = sum(n for handler, n in self.health.faults.items() if handler.startswith(module + "."))
        disabled = [handler for handler in self.health.disabled if handler.startswith(module + ".")]
        return ModuleInfo(module, self.generation, mine, faults, disabled)
