"""What the body of a module leaves behind that a reload can neither undo nor carry over.

Known flaw: which thread started which cannot be told. A thread that somebody else starts while a body runs is
named, too; workers of thread pools are not, since a program's own pools grow at any time.
"""

from __future__ import annotations

import atexit
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any, NamedTuple

from perdure.live.compiling import Compiled
from perdure.live.graph import line_of
from perdure.live.sources import Source

_STORES = ("STORE_NAME", "STORE_GLOBAL")
_LOADS = ("LOAD_ATTR", "LOAD_METHOD", "LOAD_NAME", "IMPORT_FROM")


class Warned(NamedTuple):
    """Something in a module that reloads badly.

    Attributes:
        module: Name inside the game.
        file, line: Where; line 0 if that cannot be told.
        message: One line: what it is, and what to do.
    """

    module: str
    file: str
    line: int
    message: str


class Effects(NamedTuple):
    """What one execution of a module left behind.

    Attributes:
        warnings: About threads, exit hooks and state.
        sizes: Global that looks like state -> its size when the body had ended.
    """

    warnings: tuple[Warned, ...] = ()
    sizes: Mapping[str, int] = {}


class Before:
    """How things were before a body ran."""

    def __init__(self) -> None:
        self._threads = set(threading.enumerate())
        self._hooks = atexit._ncallbacks()

    def effects(self, source: Source, compiled: Compiled, module: ModuleType) -> Effects:
        """What the body did since."""
        sizes = sizes_of(module, compiled)
        found = [*self._threads_of(compiled), *self._hooks_of(compiled), *_state_of(sizes, compiled)]
        where = source.name, str(source.path)
        return Effects(tuple(Warned(*where, line, message) for line, message in found), sizes)

    def _threads_of(self, compiled: Compiled) -> Iterator[tuple[int, str]]:
        for thread in threading.enumerate():
            if thread not in self._threads and not _is_worker(thread):
                message = (
                    f"the thread {thread.name!r} is started by loading the module. Every reload starts one more, and "
                    f"nobody stops the one before. Start it from a function."
                )
                yield line_of(compiled.code, "start", *_LOADS), message

    def _hooks_of(self, compiled: Compiled) -> Iterator[tuple[int, str]]:
        uses = any(imported.module == "atexit" for imported in compiled.imports)
        if uses and atexit._ncallbacks() > self._hooks:  # libraries register some, too, when they are first imported
            message = "an atexit function is registered by loading the module. Every reload registers one more."
            yield line_of(compiled.code, "register", *_LOADS), message


def sizes_of(module: ModuleType, compiled: Compiled) -> dict[str, int]:
    """The sizes of the globals that look like state: in lower case, can be changed, and made here."""
    candidates = list(vars(module).items())  # at once: other threads may run the module's functions
    return {
        name: len(value)
        for name, value in candidates
        if _may_change(value)
        and _is_state(name)
        and name in compiled.code.co_names
        and not _is_imported(compiled, name)
    }


def grown(name: str, source: Source, compiled: Compiled, size: int) -> Warned:
    """The warning about a global of a shared module that changed while other modules were executed."""
    message = (
        f"{name} was changed by loading another module, and holds what earlier versions of that one put in, too. "
        f"It has {size} entries now. Collect from the modules instead of entering into a list."
    )
    return Warned(source.name, str(source.path), line_of(compiled.code, name, *_STORES), message)


def _state_of(sizes: Mapping[str, int], compiled: Compiled) -> Iterator[tuple[int, str]]:
    for name in sizes:
        message = (
            f"{name} can be changed, and every reload of the module makes it anew. Keep state elsewhere, or write the "
            f"name in UPPER case if it never changes."
        )
        yield line_of(compiled.code, name, *_STORES), message


def _is_worker(thread: threading.Thread) -> bool:
    return (getattr(getattr(thread, "_target", None), "__module__", None) or "").startswith("concurrent.futures")


def _may_change(value: Any) -> bool:
    return isinstance(value, list | dict | set | bytearray | deque)


def _is_state(name: str) -> bool:
    return name.islower() and not name.startswith("__")


def _is_imported(compiled: Compiled, name: str) -> bool:
    return any(name in imported.names for imported in compiled.imports)
