"""Loading games: from a folder, as a host does, or from a class, as a test does."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from perdure.games.python.api import Game
from perdure.games.python.program import PythonProgram
from perdure.live.generation import Generation
from perdure.live.loader import load
from perdure.live.sources import Sources, capture


def load_game(path: Path, name: str = "") -> PythonProgram:
    """Load the game in a folder or file, aside, under a name of its own.

    Args:
        path: The folder or ``.py`` file.
        name: The game's name in the configuration; by default the folder's.

    Raises:
        GameError: It does not load: the file, the line, and what to do.
    """
    return load_sources(capture(path), name)


def load_sources(sources: Sources, name: str = "") -> PythonProgram:
    """Load a game as it was captured.

    Raises:
        GameError: As `load_game`.
    """
    generation = load(sources)
    try:
        return program_from(generation, name or sources.name)
    except BaseException:
        generation.release()
        raise


def program_from(generation: Generation, name: str) -> PythonProgram:
    """The game of a loaded generation. The program has the caller's use of it: `release` lets go of that.

    Raises:
        GameError: It declares what cannot be: the file, the line, and what to do.
    """
    return PythonProgram(name, generation.id, generation.modules, generation.sources.texts, loaded=generation)


def program_of(game: type[Game]) -> PythonProgram:
    """The game of a class that was imported in the ordinary way, as a test does.

    Taken are the modules beside it: its file's, or all of its package's.

    Raises:
        GameError: As `load_game`.
    """
    module = sys.modules[game.__module__]
    file = Path(module.__file__ or "")
    package = module.__package__ or ""
    if not package or file.name.startswith("test_") or "<locals>" in game.__qualname__:
        sources, modules = capture(file), {"": module}
    else:
        sources = capture(Path(sys.modules[package].__path__[0]))
        modules = {name: importlib.import_module(f"{package}.{name}" if name else package) for name in sources.modules}
    return PythonProgram(game.__name__.lower(), sources.generation, modules, sources.texts, only=game)
