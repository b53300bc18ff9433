"""What a game's code is: the files of a folder, captured as bytes before anything runs.

A generation is identified by the hash of these bytes. What runs later, and what tracebacks print, is
what was captured here, whatever happens to the files meanwhile.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from perdure.errors import GameError

FILES_MAX = 2000
"""More modules than any game has: a folder with more of them was named by mistake."""

_SKIPPED_FOLDERS = {"tests", "__pycache__"}
_SKIPPED_FILES = {"conftest.py", "__main__.py", "setup.py"}


class Source(NamedTuple):
    """One module's source.

    Attributes:
        name: Dotted name inside the game; "" for the game's folder or file itself.
        path: Where it was read from.
        data: What was read; empty for a folder without ``__init__.py``.
        is_package: Whether it is a folder.
    """

    name: str
    path: Path
    data: bytes
    is_package: bool


class Sources:
    """A game's modules as they were on disk at one moment.

    Attributes:
        root: The folder or file.
        name: What the game's modules call the game: its folder's or file's name.
        modules: Dotted name -> source, parents before children, else by name.
        generation: 32 hex digits over all names and bytes: equal code, equal generation.
    """

    def __init__(self, root: Path, modules: Mapping[str, Source]) -> None:
        self.root, self.modules = root, dict(modules)
        self.name = root.stem
        total = hashlib.sha256()
        for name, source in sorted(self.modules.items()):
            total.update(f"{name}\0{source.is_package}\0{hashlib.sha256(source.data).hexdigest()}\n".encode())
        self.generation = total.hexdigest()[:32]

    @property
    def texts(self) -> dict[str, str]:
        """File -> its captured text, to print tracebacks from."""
        return {str(source.path): source.data.decode("utf-8", "replace") for source in self.modules.values()}


def capture(path: Path) -> Sources:
    """Read every module of the game in `path`, a folder or a ``.py`` file.

    Left out are hidden folders and files, folders named ``tests``, ``test_*.py`` and ``conftest.py``.

    Raises:
        GameError: There is no game code, or a name that Python could not import unmistakably.
    """
    root = Path(os.path.abspath(path))  # not resolved: a link's own name is what the game's modules call it
    if not root.is_dir() and not (root.is_file() and root.suffix == ".py"):
        raise GameError(f"there is no game at {path}. Give a folder of Python modules, or a .py file.")
    try:
        found = list(_folder(root, "")) if root.is_dir() else [Source("", root, root.read_bytes(), False)]
    except OSError as error:
        raise GameError(f"cannot be read: {error.strerror}.", file=str(error.filename or root)) from error
    if not any(source.data for source in found):
        raise GameError(f"the folder {path} has no Python modules. A game begins with a file that has a class Game.")
    modules: dict[str, Source] = {}
    for source in found:
        if source.name in modules:
            raise GameError(
                f"{source.name} is both a file and a folder, {modules[source.name].path} and {source.path}. Rename one."
            )
        _check_name(source, root)
        modules[source.name] = source
    return Sources(root, modules)


def _folder(folder: Path, name: str) -> Iterator[Source]:
    init = folder / "__init__.py"
    yield Source(name, init, init.read_bytes() if init.is_file() else b"", True)
    for count, path in enumerate(sorted(folder.iterdir())):
        if count > FILES_MAX:
            raise GameError(f"{folder} holds more than {FILES_MAX} files: name the game's own folder.")
        inner = f"{name}.{path.stem}" if name else path.stem
        if path.name.startswith(".") or path.name == "__init__.py":
            continue
        if path.is_dir() and path.name not in _SKIPPED_FOLDERS and _has_modules(path):
            yield from _folder(path, inner)
        elif path.is_file() and path.suffix == ".py" and not _is_test(path.name):
            yield Source(inner, path, path.read_bytes(), False)


def _has_modules(folder: Path) -> bool:
    return any(path.suffix == ".py" for path in folder.iterdir())


def _is_test(name: str) -> bool:
    return name in _SKIPPED_FILES or name.startswith("test_") or name.endswith("_test.py")


def _check_name(source: Source, root: Path) -> None:
    word = source.name.rpartition(".")[2] or root.stem
    where = source.path if source.name else root
    if not word.isidentifier():
        better = "".join(c if c.isalnum() else "_" for c in word)
        raise GameError(f"cannot be imported under this name. Rename it, to {better} for example.", file=str(where))
    if word in sys.stdlib_module_names or word == "perdure":
        whose = "Perdure itself" if word == "perdure" else f"Python's own module {word}"
        raise GameError(
            f"is named like {whose}, so an import of {word} would be a riddle. Rename it, to {word}s or my_{word} "
            f"for example.",
            file=str(where),
        )
