"""Generations of a game's code, and the versions of its modules that they share.

A module version is executed once and is in `sys.modules` under a name of its own while it lives: lazy look-ups by
module name (of msgspec, typing, pickle) find the classes of their own generation. Generations count as its users.
When the last of them is retired it leaves `sys.modules` and its namespace is cleared, since some objects are never
collected while their module's namespace lives (an instance that msgspec took off the collector's list, in a global).
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any

from perdure.live.compiling import Compiled
from perdure.live.effects import Effects
from perdure.live.sources import Source, Sources

ROOT = "perdure_games"
"""What the names of all loaded modules begin with in `sys.modules`."""

KEY_DIGITS = 8


class Version:
    """One version of one module.

    Attributes:
        key: Hash over its source and all that it depends on.
        name: Inside the game.
        unique: Its name in `sys.modules`.
        source, compiled: What it is executed from.
        environment: What its imports mean: name inside the game -> version.
        data: The data files that it depends on.
        builtins: Its `__builtins__`, with an `__import__` of its own.
        module: What came of it; None until it is executed.
        effects: What its body left behind elsewhere.
        execute: Executes it; None once that has begun.
        place: How many of its import cycle were finished before it.
        uses: How many generations and loadings need it; the registry's.
    """

    def __init__(self, game: str, key: str, source: Source, compiled: Compiled) -> None:
        self.key, self.name = key, source.name
        self.source, self.compiled = source, compiled
        self.unique = _unique(game, key, source.name)
        self.environment: dict[str, Version] = {}
        self.data: dict[str, Source] = {}
        self.builtins: dict[str, Any] = {}
        self.module: ModuleType | None = None
        self.effects = Effects()
        self.execute: Callable[[], None] | None = None
        self.place = 0
        self.uses = 1

    @property
    def loaded(self) -> ModuleType:
        """The module, once its execution has begun."""
        assert self.module is not None, f"{self.unique} is not executed"
        return self.module

    def withdraw(self) -> None:
        """Take the module out of `sys.modules` and clear it, as if it had never been executed."""
        module, self.module = self.module, None
        if module is not None:
            if sys.modules.get(self.unique) is module:
                del sys.modules[self.unique]
            vars(module).clear()

    def retire(self) -> None:
        """Let go of everything. Nobody uses it any more."""
        self.withdraw()
        self.environment.clear()
        self.builtins.clear()  # a function that somebody keeps would keep them, too
        _forget_loggers(self.unique)


def _unique(game: str, key: str, name: str) -> str:
    """A name for `sys.modules` that no other version has there."""
    digits = KEY_DIGITS
    while True:
        package = f"{ROOT}.{re.sub(r'[^0-9a-zA-Z_]', '_', game)}_{key[:digits]}"
        unique = f"{package}.{name}" if name else package
        if unique not in sys.modules:
            return unique
        key, digits = key if digits < len(key) else key + "0", digits + KEY_DIGITS


def _forget_loggers(unique: str) -> None:
    """`logging` keeps every logger for ever, and modules call theirs by their names."""
    known = logging.Logger.manager.loggerDict
    while unique != ROOT:
        gone = known.pop(unique, None)
        holder = known.get(ROOT)
        if isinstance(gone, logging.Logger) and isinstance(holder, logging.PlaceHolder):
            holder.loggerMap.pop(gone, None)
        unique = unique.rpartition(".")[0]


class Registry:
    """The module versions that are loaded in this process, by key. Any thread may use it."""

    def __init__(self) -> None:
        self._versions: dict[str, Version] = {}
        self._lock = threading.Lock()

    def take(self, key: str) -> Version | None:
        """The version with this key, with one more use, if it is loaded."""
        with self._lock:
            version = self._versions.get(key)
            if version is not None:
                version.uses += 1
            return version

    def add(self, version: Version) -> None:
        """Let others share a version that was executed; the one that it was born with stays its only use."""
        with self._lock:
            self._versions.setdefault(version.key, version)

    def hold(self, versions: Iterable[Version]) -> None:
        """One more use of each."""
        with self._lock:
            for version in versions:
                assert version.uses > 0, f"{version.unique} is retired"
                version.uses += 1

    def release(self, versions: Iterable[Version]) -> None:
        """One use less of each; what has none left is retired."""
        unused = []
        with self._lock:
            for version in versions:
                version.uses -= 1
                if not version.uses:
                    unused.append(version)
                    if self._versions.get(version.key) is version:
                        del self._versions[version.key]
        for version in unused:
            version.retire()


registry = Registry()
"""As `sys.modules`, which it mirrors: one for the process."""


class Generation:
    """One loaded state of a game's code. It is born with one use, which is its maker's.

    Attributes:
        id: Hash of the sources.
        sources: What was loaded.
        versions: Name inside the game -> version of the module, what is imported before what imports it.
        modules: The same names -> modules.
        uses: How many hold it.
    """

    def __init__(self, sources: Sources, versions: Mapping[str, Version]) -> None:
        registry.hold(versions.values())
        self.id, self.sources = sources.generation, sources
        self.versions = dict(versions)
        self.modules: dict[str, ModuleType] = {name: version.loaded for name, version in versions.items()}
        self.uses = 1
        self._lock = threading.Lock()

    @property
    def alive(self) -> bool:
        """Whether its modules may be used."""
        return self.uses > 0

    def hold(self) -> None:
        """Keep it loaded until `release`. Whoever calls this knows that somebody else holds it."""
        with self._lock:
            assert self.uses > 0, f"the generation {self.id} is retired"
            self.uses += 1

    def release(self) -> None:
        """Let go. Once nobody holds it, those of its modules that no other generation shares are cleared."""
        with self._lock:
            assert self.uses > 0, f"the generation {self.id} is retired"
            self.uses -= 1
            if self.uses:
                return
            versions = list(self.versions.values())
            self.versions.clear()
            self.modules.clear()
        registry.release(versions)
