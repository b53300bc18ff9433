"""The games' code in a host: which generation serves, which others rooms still run, and where all are stored.

A generation's sources are stored by their hash before a record needs them, and which one serves is written
down. So a host starts with the code that served last, whatever lies on disk by then: half of an edit, or
nothing. What lies on disk comes afterwards, as a reload with a report of its own.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from perdure.errors import GameError, StorageError
from perdure.games.python.load import load_game, load_sources
from perdure.games.python.program import PythonProgram
from perdure.live.sources import Sources, pack, unpack
from perdure.ports import Blobs, GenerationList

FOLDER = "_code"
"""Where sources are stored among the blobs; no room's id begins so."""
KEPT = 64
"""Stored generations of each game that nobody runs any more: for whoever wants to go back, or to look."""


class Library:
    """Every generation that a host has loaded. Not a thread's but the loop's, except `store`.

    Args:
        games: Game id -> its folder or file.
        blobs: Where sources are stored.
        list: Which generation serves.
        notify: Called with events for the event log.

    Attributes:
        retired: Called when a generation was taken apart.

    Raises:
        GameError: A game has no stored code yet, and what is on disk does not load.
        StorageError: The code cannot be stored.
    """

    def __init__(
        self, games: Mapping[str, Path], blobs: Blobs, list: GenerationList, notify: Callable[[dict[str, Any]], None]
    ) -> None:
        self.paths = {game: Path(os.path.abspath(path)) for game, path in games.items()}
        self._blobs, self._list, self._notify = blobs, list, notify
        self._using = threading.RLock()
        self.retired: Callable[[], object] = int
        self._loaded: dict[str, dict[str, PythonProgram]] = {game: {} for game in games}
        self._current = {game: self._first(game) for game in games}
        self._trials = {game: self._list.trial(game) for game in games}

    def current(self, game: str) -> PythonProgram:
        """The code that serves: what new rooms get."""
        return self._current[game]

    def at(self, game: str, generation: str) -> PythonProgram:
        """The game in that generation. If it cannot be had any more: the one that serves, and an event says so."""
        known = self._loaded[game].get(generation)
        return known or self._stored(game, generation) or self._current[game]

    def held(self, game: str, generation: str) -> PythonProgram:
        """As `at`, for any thread: nobody retires it before the caller has released it."""
        with self._using:
            program = self.at(game, generation)
            program.hold()
            return program

    def programs(self) -> Iterator[tuple[str, PythonProgram]]:
        """Every loaded generation, with its game."""
        for game, loaded in self._loaded.items():
            for program in loaded.values():
                yield game, program

    def add(self, game: str, program: PythonProgram) -> PythonProgram:
        """Keep a program that was loaded; the library has the use that it was born with.

        Returns:
            It, or the one of this generation that is loaded already.
        """
        known = self._loaded[game].setdefault(program.generation, program)
        if known is not program:
            program.release()
        return known

    def store(self, sources: Sources) -> None:
        """Store sources durably; slow, for any thread.

        Raises:
            StorageError: They are not stored.
        """
        self._blobs.put(f"{FOLDER}/{sources.generation}", pack(sources))

    def record(self, game: str, generation: str) -> None:
        """Write down that a stored generation serves; slow, for any thread. The commit of a reload.

        Raises:
            StorageError: The one before still does.
        """
        self._list.set_generation(game, generation)

    def tidy(self, game: str) -> None:
        """Delete the oldest stored generations; slow, for any thread.

        Raises:
            StorageError: Some of them are still there.
        """
        for generation in self._list.generations(game)[KEPT:]:
            if generation not in self._loaded[game]:
                self._blobs.delete(f"{FOLDER}/{generation}")
                self._list.forget_generation(game, generation)

    def try_out(self, game: str, generation: str) -> None:
        """Write down that stored code is on trial: until it serves, no host loads it unasked. Slow, for any thread.

        Raises:
            StorageError: It is not written down.
        """
        self._list.set_trial(game, generation)
        self._trials[game] = generation

    def trial(self, game: str) -> str:
        """The code that was tried last and does not serve, "" for none."""
        generation = self._trials[game]
        return "" if generation == self._current[game].generation else generation

    def publish(self, game: str, program: PythonProgram) -> None:
        """From here on `program` serves."""
        self._current[game] = program

    def prune(self) -> None:
        """Retire the generations that nobody uses any more."""
        with self._using:
            for game, loaded in self._loaded.items():
                for generation, program in list(loaded.items()):
                    if program is not self._current[game] and program.uses == 1:
                        del loaded[generation]
                        program.release()
                        self.retired()

    def _first(self, game: str) -> PythonProgram:
        recorded = self._list.generations(game)[:1]
        program = self._stored(game, recorded[0]) if recorded else None
        if program is not None:
            return program
        program = load_game(self.paths[game], game)
        assert program.sources is not None
        self.store(program.sources)
        self.record(game, program.generation)
        return self.add(game, program)

    def refresh(self) -> None:
        """Serve what is recorded now: another host has reloaded since this one began. For any thread.

        Raises:
            GameError: The code that serves there does not load here.
        """
        for game in self.paths:
            recorded = self._list.generations(game)[0]
            program = self.at(game, recorded)
            if program.generation != recorded:
                raise GameError(f"the code {recorded} of {game} that serves does not load in this program.")
            self._current[game] = program

    def stored_sources(self, game: str, generation: str) -> Sources:
        """Stored code. For any thread.

        Raises:
            StorageError: It is not there, or damaged.
        """
        return unpack(self._blobs.get(f"{FOLDER}/{generation}"), generation, self.paths[game].parent)

    def _stored(self, game: str, generation: str) -> PythonProgram | None:
        try:
            return self.add(game, load_sources(self.stored_sources(game, generation), game))
        except (StorageError, GameError) as error:
            self._notify({"kind": "code-lost", "game": game, "generation": generation, "reason": str(error)})
            return None
