"""Loading captured sources aside, under a package name of their own.

Theory of operation. Each generation's modules live in `sys.modules` as `perdure_games.<name>_g<hash>.…`, so
several can be loaded at once and none is found by accident. They are compiled from the captured bytes, each
once, with the real path as file name. Their `__import__` maps the game's own name to the generation:
`from mud import items` inside mud means this generation's items. Relative imports work by themselves.

A generation that fails to load leaves nothing behind in `sys.modules`. What its module bodies did elsewhere
(a thread, a file) cannot be undone.
"""

from __future__ import annotations

import builtins
import hashlib
import importlib
import importlib.abc
import importlib.machinery
import re
import sys
from collections.abc import Mapping, Sequence
from types import CodeType, ModuleType
from typing import Any

from perdure.errors import GameError
from perdure.live.sources import Source, Sources

ROOT = "perdure_games"
NOTHING = "Nothing of the game was loaded."


class Generation:
    """One loaded version of a game's code.

    Attributes:
        id: Hash of the sources.
        sources: What was loaded.
        package: Name of its package in `sys.modules`.
        modules: Dotted name inside the game -> module, in the order in which they finished: what is
            imported comes before what imports it.
    """

    def __init__(self, sources: Sources) -> None:
        self.id, self.sources = sources.generation, sources
        unique = hashlib.sha256(f"{sources.generation} {sources.root}".encode()).hexdigest()[:8]
        self.package = f"{ROOT}.{re.sub(r'[^0-9a-zA-Z_]', '_', sources.name)}_g{unique}"
        self.modules: dict[str, ModuleType] = {}
        self.codes: dict[str, CodeType] = {}
        self.builtins: dict[str, Any] = {**vars(builtins), "__import__": self._import}

    def source_of(self, fullname: str) -> Source | None:
        """The source behind a name in `sys.modules`, if it is this generation's."""
        if fullname == self.package:
            return self.sources.modules[""]
        return self.sources.modules.get(fullname.removeprefix(self.package + "."))

    def _import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """`__import__` of the game's modules: the game's own name means this generation."""
        root, _, rest = name.partition(".")
        if level or root != self.sources.name:
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        unique = f"{self.package}.{rest}" if rest else self.package
        found = builtins.__import__(unique, globals, locals, fromlist or (), 0)
        return found if fromlist else sys.modules[self.package]


class _Loader(importlib.abc.Loader):
    """Runs one module from its captured bytes."""

    def __init__(self, generation: Generation, source: Source) -> None:
        self.generation, self.source = generation, source

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__builtins__"] = self.generation.builtins
        exec(self.generation.codes[self.source.name], vars(module))
        self.generation.modules[self.source.name] = module

    def get_source(self, fullname: str) -> str:  # noqa: ARG002  (the import system's signature)
        """The captured text; debuggers and `inspect` ask for it."""
        return self.source.data.decode("utf-8", "replace")


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the modules of the generations that are loaded or loading."""

    def __init__(self) -> None:
        self.generations: dict[str, Generation] = {}

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002  (the import system's signature)
        target: ModuleType | None = None,  # noqa: ARG002  (the import system's signature)
    ) -> importlib.machinery.ModuleSpec | None:
        if not fullname.startswith(ROOT + "."):
            return None
        generation = self.generations.get(".".join(fullname.split(".")[:2]))
        source = generation.source_of(fullname) if generation else None
        if generation is None or source is None:
            return None
        spec = importlib.machinery.ModuleSpec(
            fullname, _Loader(generation, source), origin=str(source.path), is_package=source.is_package
        )
        spec.has_location = True
        return spec


_finder = _Finder()


def load(sources: Sources) -> Generation:
    """Run every module of `sources` once. Sources that are already loaded are not run again.

    Raises:
        GameError: A module does not compile or its body raised: its file, the line, and what to do. Nothing
            of the generation stays loaded.
    """
    generation = Generation(sources)
    if generation.package in _finder.generations:
        return _finder.generations[generation.package]
    _install()
    _finder.generations[generation.package] = generation
    try:
        for name, source in sources.modules.items():
            generation.codes[name] = _compiled(source)
        for name in sources.modules:
            importlib.import_module(f"{generation.package}.{name}" if name else generation.package)
    except (Exception, SystemExit) as error:  # the edge to a game's module bodies: whatever they raise has one report
        raise _explained(error, sources) from error
    finally:
        if generation.modules.keys() != sources.modules.keys():
            unload(generation)
    return generation


def unload(generation: Generation) -> None:
    """Take the generation's modules out of `sys.modules`. No room may use it any more."""
    _finder.generations.pop(generation.package, None)
    for name in [name for name in sys.modules if f"{name}.".startswith(generation.package + ".")]:
        del sys.modules[name]
    vars(sys.modules[ROOT]).pop(generation.package.removeprefix(ROOT + "."), None)


def _install() -> None:
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
    if ROOT not in sys.modules:
        root = ModuleType(ROOT, "Packages of loaded games, one for each generation.")
        root.__path__ = []
        sys.modules[ROOT] = root


def _compiled(source: Source) -> CodeType:
    try:
        return compile(source.data, str(source.path), "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        message = error.msg if isinstance(error, SyntaxError) else str(error)
        line = getattr(error, "lineno", None) or 1
        raise GameError(f"{message.rstrip('.')}. {NOTHING}", file=str(source.path), line=line) from error


def _explained(error: BaseException, sources: Sources) -> GameError:
    """The error of a module, as file, line and advice."""
    file, line = blamed(error, sources.texts)
    match error:
        case GameError(file=str(named)) if named:
            return error
        case GameError():
            message = error.message
        case ModuleNotFoundError(name=str(name)) if name.partition(".")[0] in sources.modules:
            message = f"{name} is a module of this game: write `from . import {name}`, or `from .{name} import …`."
        case ModuleNotFoundError(name=str(name)) if name.startswith(ROOT):
            short = ".".join(name.split(".")[2:])
            message = f"this game has no module {short}; it has {', '.join(n for n in sources.modules if n)}."
        case ModuleNotFoundError(name=str(name)):
            message = (
                f"there is no module {name}. Install it where perdure is installed, or import something that is there."
            )
        case _:
            message = f"{type(error).__name__}: {str(error).rstrip('.')}. {NOTHING}"
    return GameError(message, file=file, line=line)


def blamed(error: BaseException, files: Mapping[str, object]) -> tuple[str, int]:
    """(file, line) of the innermost of `files` that an error came through; ("", 0) if it came through none."""
    place = ("", 0)
    frame = error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename in files:
            place = (frame.tb_frame.f_code.co_filename, frame.tb_lineno)
        frame = frame.tb_next
    return place
