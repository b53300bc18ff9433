"""What a game's code is: the files of a folder, captured as bytes before anything runs.

A generation is identified by the hash of these bytes. What runs later, and what tracebacks print, is
what was captured here, whatever happens to the files meanwhile.

A capture waits, within bounds, for files that somebody has open for writing: the kernel refuses a read lease
on those (fcntl(2), F_SETLEASE). While the lease is held a writer's open() waits, so no half of a file is read.
Where no lease can be had (another owner's file, some file systems), a file that changed while the folder was
read is noticed by its size, time and inode, and everything is read again.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from errno import EAGAIN
from itertools import islice
from pathlib import Path
from signal import Signals
from typing import NamedTuple

import msgspec

from perdure.errors import GameError, StorageError

if sys.platform == "linux":
    import fcntl

FILES_MAX = 2000
"""More files than any game has: a folder with more of them was named by mistake."""
BYTES_MAX = 64 * 1024 * 1024
"""Of all captured files together."""
WAIT_S = 2.0
"""How long a capture waits for files that are being written. Editors write within milliseconds."""
POLL_S = 0.002

SKIPPED_FOLDERS = {"tests", "__pycache__", "node_modules"}
"""Folders that hold no code of the game; hidden ones are left out, too."""
_SKIPPED_FILES = {"conftest.py", "__main__.py", "setup.py", "perdure.toml", "pyproject.toml"}


class Source(NamedTuple):
    """One file of a game.

    Attributes:
        name: Dotted name inside the game, "" for the game's folder or file itself; of a data file its path
            below the folder, with "/" in front: "/maps/town.toml".
        path: Where it was read from.
        data: What was read; empty for a folder without ``__init__.py``.
        is_package: Whether it is a folder.
    """

    name: str
    path: Path
    data: bytes
    is_package: bool

    @property
    def is_data(self) -> bool:
        """Whether it is a data file and not a module."""
        return self.name.startswith("/")


class Sources:
    """A game's files as they were on disk at one moment.

    Attributes:
        root: The folder or file.
        name: What the game's modules call the game: its folder's or file's name.
        modules: Dotted name -> source, parents before children, else by name.
        data: "/relative/path.toml" -> source, by name.
        generation: 32 hex digits over the game's name and all names and bytes: equal code, equal generation.
    """

    def __init__(self, root: Path, modules: Mapping[str, Source], data: Mapping[str, Source] | None = None) -> None:
        self.root, self.name = root, root.stem
        self.modules = {name: modules[name] for name in sorted(modules, key=lambda name: name.split("."))}
        self.data = dict(sorted((data or {}).items()))
        total = hashlib.sha256(os.fsencode(self.name) + b"\n")
        for name, source in sorted(self.everything.items()):
            total.update(f"{name}\0{source.is_package}\0{hashlib.sha256(source.data).hexdigest()}\n".encode())
        self.generation = total.hexdigest()[:32]

    @property
    def everything(self) -> dict[str, Source]:
        """Modules and data files by name."""
        return {**self.modules, **self.data}

    @property
    def texts(self) -> dict[str, str]:
        """File -> its captured text, to print tracebacks from."""
        return {str(source.path): source.data.decode("utf-8", "replace") for source in self.everything.values()}

    def replaced(self, changes: Mapping[str, Source | None]) -> Sources:
        """These sources with others in the place of some, by name; None takes one out."""
        both = {**self.everything, **changes}
        return _sources(self.root, (source for source in both.values() if source is not None))


def capture(path: Path, *, wait_s: float = WAIT_S) -> Sources:
    """Read every file of the game in `path`, a folder or a ``.py`` file. Blocks while files are being written.

    Left out are hidden folders and files, folders named ``tests``, ``test_*.py`` and ``conftest.py``. A data file
    beside a game of one file belongs to it if its name stands in the code.

    Args:
        wait_s: How long to wait at most for files that somebody writes; then they are taken as they are.

    Raises:
        GameError: There is no game code, or a name that Python could not import unmistakably.
    """
    root = Path(os.path.abspath(path))  # not resolved: a link's own name is what the game's modules call it
    if not root.is_dir() and not (root.is_file() and root.suffix == ".py"):
        raise GameError(f"there is no game at {path}. Give a folder of Python modules, or a .py file.")
    try:
        found = _Reading(root, time.monotonic() + wait_s).settled()
    except OSError as error:
        raise GameError(f"cannot be read: {error.strerror}.", file=str(error.filename or root)) from error
    if not any(source.data for source in found if not source.is_data):
        raise GameError(f"the folder {path} has no Python modules. A game begins with a file that has a class Game.")
    modules: dict[str, Source] = {}
    for source in found:
        if source.name in modules:
            raise GameError(
                f"{source.name} is both a file and a folder, {modules[source.name].path} and {source.path}. Rename one."
            )
        _check_name(source, root)
        modules[source.name] = source
    return _sources(root, found)


class _Packed(msgspec.Struct, array_like=True):
    """Sources as they are stored. Paths follow from names; `root` is the name of the game's folder or file."""

    root: bytes
    files: list[tuple[str, bytes, bool]]


def pack(sources: Sources) -> bytes:
    """The sources as bytes, to be stored under their `generation`."""
    files = [(source.name, source.data, source.is_package) for source in sources.everything.values()]
    return msgspec.msgpack.encode(_Packed(os.fsencode(sources.root.name), files))


def unpack(data: bytes, expected_id: str, folder: Path) -> Sources:
    """What `pack` made into bytes.

    Args:
        folder: The one in which the game's folder or file lies by now; tracebacks and errors name it.

    Raises:
        StorageError: These are not the sources of the generation `expected_id`.
    """
    try:
        packed = msgspec.msgpack.decode(data, type=_Packed)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _damaged(expected_id, str(error)) from error
    root = folder / os.fsdecode(packed.root)
    found = [Source(name, _place(root, name, folder), text, folder) for name, text, folder in packed.files]
    sources = _sources(root, found)
    if sources.generation != expected_id:
        raise _damaged(expected_id, f"they are those of {sources.generation}")
    return sources


def _damaged(generation: str, why: str) -> StorageError:
    return StorageError(
        f"the stored sources of generation {generation} are damaged: {why}. They are not used.", op="live:unpack"
    )


def _place(root: Path, name: str, is_package: bool) -> Path:
    """Where a file of this name lies."""
    if name.startswith("/"):
        return (root.parent if root.suffix == ".py" else root) / name[1:]
    inner = root.joinpath(*name.split(".")) if name else root
    return inner / "__init__.py" if is_package else inner.with_name(inner.name + ".py") if name else root


def _sources(root: Path, found: Iterable[Source]) -> Sources:
    modules: dict[str, Source] = {}
    data: dict[str, Source] = {}
    for source in found:
        (data if source.is_data else modules)[source.name] = source
    return Sources(root, modules, data)


Look = tuple[int, int, int]
"""Inode, size and time of a file: what changes with it."""


class _Reading:
    """Reads a game's files, again and again until nothing changed meanwhile or the time is over."""

    def __init__(self, root: Path, deadline: float) -> None:
        self.root, self.deadline = root, deadline
        self.looks: dict[Path, Look | None] = {}

    def settled(self) -> list[Source]:
        while True:
            self.looks = {}
            files = self.files()
            found = [source for file in files if (source := self.read(file)) is not None]
            if not self.may_wait() or (self.files() == files and self.unchanged()):
                return found if self.root.is_dir() else _mentioned(found)

    def may_wait(self) -> bool:
        return time.monotonic() < self.deadline

    def unchanged(self) -> bool:
        return all(_look(path) == look for path, look in self.looks.items())

    def files(self) -> list[Source]:
        """What there is to read, yet without data."""
        if self.root.is_dir():
            found = list(islice(_folder(self.root, self.root, ""), FILES_MAX + 1))
        else:
            beside = [path for path in _entries(self.root.parent) if _is_data(path)]
            found = [Source("", self.root, b"", False)]
            found += [Source(f"/{path.name}", path, b"", False) for path in beside[:FILES_MAX]]
        if len(found) > FILES_MAX:
            raise GameError(f"{self.root} holds more than {FILES_MAX} files: name the game's own folder.")
        return found

    def read(self, file: Source) -> Source | None:
        """The file with its data; None if it went away."""
        try:
            with open(file.path, "rb", buffering=0) as opened:
                while _is_being_written(opened.fileno()) and self.may_wait():
                    time.sleep(POLL_S)
                self.looks[file.path] = _look(opened.fileno())
                self.check_size()
                return file._replace(data=opened.read())
        except FileNotFoundError:
            self.looks[file.path] = None
            return file if file.is_package else None

    def check_size(self) -> None:
        if sum(look[1] for look in self.looks.values() if look) > BYTES_MAX:
            raise GameError(f"{self.root} holds more than {BYTES_MAX >> 20} MiB: name the game's own folder.")


def _look(file: Path | int) -> Look | None:
    try:
        status = os.stat(file)
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _is_being_written(file: int) -> bool:
    """Whether somebody has the file open for writing; if not, whoever wants to waits until `file` is closed.

    The signal that tells of such a wish is one that is ignored by default; SIGIO would end the process.
    """
    if sys.platform != "linux":
        return False
    try:
        fcntl.fcntl(file, fcntl.F_SETSIG, Signals.SIGURG)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:  # another user's file, a file system without leases: one cannot tell
        return error.errno == EAGAIN
    return False


def _mentioned(found: list[Source]) -> list[Source]:
    """A game of one file, and the data files whose names stand in it."""
    return [source for source in found if not source.is_data or source.path.name.encode() in found[0].data]


def _folder(root: Path, folder: Path, package: str | None) -> Iterator[Source]:
    """The files of a folder and those below; `package` is its dotted name, None where it holds no modules."""
    entries = _entries(folder)
    if package == "" or (package is not None and any(path.suffix == ".py" for path in entries)):
        yield Source(package, folder / "__init__.py", b"", True)
    else:
        package = None
    for path in entries:
        inner = None if package is None else f"{package}.{path.stem}" if package else path.stem
        if path.is_dir():
            leads_up = path.is_symlink() and folder.resolve().is_relative_to(path.resolve())
            if path.name not in SKIPPED_FOLDERS and not leads_up and not (path / "pyvenv.cfg").exists():
                yield from _folder(root, path, inner)
        elif _is_data(path):
            yield Source(f"/{path.relative_to(root).as_posix()}", path, b"", False)
        elif inner is not None and _is_module(path):
            yield Source(inner, path, b"", False)


def _entries(folder: Path) -> list[Path]:
    """What the folder holds, by name; nothing if it went away."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_data(path: Path) -> bool:
    return path.suffix == ".toml" and path.name not in _SKIPPED_FILES and path.is_file()


def _is_module(path: Path) -> bool:
    name = path.name
    is_test = name.startswith("test_") or name.endswith("_test.py") or name in _SKIPPED_FILES
    return path.suffix == ".py" and name != "__init__.py" and not is_test and path.is_file()


def _check_name(source: Source, root: Path) -> None:
    if source.is_data:
        if not source.name.isprintable():
            raise GameError("its name is not plain UTF-8 text. Rename it.", file=ascii(str(source.path)))
        return
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
