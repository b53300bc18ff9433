"""Loading captured sources aside: each module once, under a name of its own.

Theory of operation. A module version is known by its key (`perdure.live.graph`). What is loaded already under this
key is shared; the rest is executed, what is imported before what imports it. Its name in `sys.modules` is
``perdure_games.<game>_<key>.<name>``, so several versions can be loaded at once and none is found by accident. Its
imports mean its own generation (`perdure.live.importing`). Modules that import each other are executed as one, with
Python's rules for modules that are only half there.

A loading that fails leaves nothing behind in `sys.modules`. What module bodies did elsewhere (a thread, a file)
cannot be undone.
"""

from __future__ import annotations

import builtins
import importlib.abc
import importlib.machinery
import importlib.util
import re
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import ModuleType

from perdure.errors import GameError
from perdure.live.compiling import Compiled, Compiler, NotCompiled, compile_here
from perdure.live.deadline import Overrun
from perdure.live.effects import Before
from perdure.live.generation import ROOT, Generation, Version, registry
from perdure.live.graph import Graph, graph_of
from perdure.live.importing import Importer
from perdure.live.sources import Sources

__all__ = ["ROOT", "Loading", "NotLoaded", "load"]

NOTHING = "Nothing of the game was loaded."
_UNIQUE = re.compile(ROOT + r"\.(\w+)_[0-9a-f]{8,}\b")

_ROOT = ModuleType(ROOT, "Packages of loaded games; `import` of a dotted name looks for the first part of it, too.")

Runner = Callable[[Callable[[], None]], None]
"""Runs the body of a module, or refuses to go on with it."""


class NotLoaded(GameError):
    """A module does not load.

    Attributes:
        module: Whose body raised.
        members: It and the modules of its import cycle.
    """

    def __init__(self, module: str, members: tuple[str, ...], error: GameError) -> None:
        super().__init__(error.message, file=error.file, line=error.line)
        self.module, self.members = module, members


def load(sources: Sources, compiler: Compiler = compile_here) -> Generation:
    """Load every module of `sources`, all or nothing. What is loaded already is not executed again.

    Raises:
        GameError: A module does not compile or its body raised: its file, the line, and what to do. Nothing
            of the generation stays loaded.
    """
    compiled = {}
    for name, result in zip(sources.modules, compiler(list(sources.modules.values())), strict=True):
        if isinstance(result, NotCompiled):
            raise GameError(f"{result.message.rstrip('.')}. {NOTHING}", file=result.file, line=result.line)
        compiled[name] = result
    loading = Loading()
    try:
        return loading.generation(sources, compiled, graph_of(sources, compiled))
    except NotLoaded as error:
        raise GameError(f"{error.message.rstrip('.')}. {NOTHING}", file=error.file, line=error.line) from error
    finally:
        loading.close()


class Loading:
    """Module versions on their way into a generation, or into several attempts at one. For one thread.

    Args:
        run: Runs each body; the bodies of a cycle in one another.
    """

    def __init__(self, run: Runner = lambda body: body()) -> None:
        self._run = run
        self._versions: dict[str, Version] = {}
        self.executed: set[str] = set()

    def generation(self, sources: Sources, compiled: Mapping[str, Compiled], graph: Graph) -> Generation:
        """A generation of these sources.

        Raises:
            NotLoaded: A module's body raised. What was loaded before it stays, for the next attempt.
        """
        versions: dict[str, Version] = {}
        for component in graph.components:
            found = [self._known(graph.keys[name]) for name in component]
            shared = [version for version in found if version is not None]
            if len(shared) < len(component):
                shared = self._execute(sources, compiled, graph, component, versions)
            versions.update((version.name, version) for version in sorted(shared, key=lambda each: each.place))
        return Generation(sources, versions)

    def close(self) -> None:
        """Let go of all of it. What no generation has taken up is retired."""
        registry.release(self._versions.values())
        self._versions.clear()

    def _known(self, key: str) -> Version | None:
        if key not in self._versions:
            version = registry.take(key)
            if version is None:
                return None
            self._versions[key] = version
        return self._versions[key]

    def _execute(
        self,
        sources: Sources,
        compiled: Mapping[str, Compiled],
        graph: Graph,
        component: Sequence[str],
        loaded: Mapping[str, Version],
    ) -> list[Version]:
        members = {
            name: Version(sources.name, graph.keys[name], sources.modules[name], compiled[name]) for name in component
        }
        around = {**loaded, **members}
        for name, version in members.items():
            needed = graph.dependencies[name]
            version.environment.update((other, around[other]) for other in sorted(needed) if other in around)
            version.data.update((other, sources.data[other]) for other in sorted(needed) if other in sources.data)
        _Cycle(sources, members, self._run).load()
        for version in members.values():
            self._versions[version.key] = version
            registry.add(version)
            self.executed.add(version.key)
        return list(members.values())


class _Cycle:
    """Modules that import each other, or a single one, being executed."""

    def __init__(self, sources: Sources, members: Mapping[str, Version], run: Runner) -> None:
        self._sources, self._members, self._run = sources, members, run
        self._finished = 0
        self._raised: tuple[str, BaseException, threading.Thread] | None = None

    def load(self) -> None:
        """Execute all members.

        Which of a cycle is imported first may decide whether it loads, and in a program that is up to who imports
        it. So each is tried as the first, in the order of their names, as long as what fails is that one of them is
        half there.

        Raises:
            NotLoaded: None of it is loaded.
        """
        first_error: NotLoaded | None = None
        for first in self._members:
            try:
                self._load_from(first)
                return
            except NotLoaded as error:
                first_error = first_error or error
                if "partially initialized" not in error.message:
                    break
        for version in self._members.values():
            version.retire()
        assert first_error is not None
        raise first_error

    def _load_from(self, first: str) -> None:
        for version in self._members.values():
            version.execute = partial(self._execute, version)
        name = first
        try:
            for name in (first, *self._members):
                execute = self._members[name].execute
                if execute is not None:
                    self._run(execute)
        except BaseException as error:  # the edge to a game's module bodies: whatever they raise has one report
            module, _, thread = self._raised or (name, error, threading.current_thread())
            failed = NotLoaded(module, tuple(self._members), explained(error, self._sources))
            self._withdraw()
            if isinstance(error, KeyboardInterrupt) and thread is threading.main_thread():
                raise  # somebody at the keyboard; no other thread is ever interrupted so
            raise failed from error

    def _withdraw(self) -> None:
        self._finished, self._raised = 0, None
        for version in self._members.values():
            version.execute = None
            version.withdraw()

    def _execute(self, version: Version) -> None:
        version.execute = None
        version.withdraw()  # of an execution that raised, and another module caught it
        module = version.module = importlib.util.module_from_spec(_spec(version))
        version.builtins.update(vars(builtins), __import__=Importer(self._sources.name, version, vars(module)))
        vars(module)["__builtins__"] = version.builtins
        sys.modules.setdefault(ROOT, _ROOT)
        sys.modules[version.unique] = module
        before = Before()
        try:
            exec(version.compiled.code, vars(module))
        except BaseException as error:
            version.execute = partial(self._execute, version)
            if self._raised is None or self._raised[1] is not error:
                self._raised = version.name, error, threading.current_thread()
            raise
        assert module.__spec__ is not None
        vars(module.__spec__)["_initializing"] = False
        version.effects = before.effects(version.source, version.compiled, module)
        version.place = self._finished
        self._finished += 1


class Loader(importlib.abc.Loader):
    """`__loader__` of a game's module.

    Attributes:
        source: The captured source of the module.
        data: The captured data files whose names stand in it, by "/relative/path.toml".
    """

    def __init__(self, version: Version) -> None:
        self.source, self.data = version.source, version.data

    def get_source(self, fullname: str) -> str:  # noqa: ARG002  (the import system's signature)
        """The captured text; debuggers and `inspect` ask for it."""
        return self.source.data.decode("utf-8", "replace")


def _spec(version: Version) -> importlib.machinery.ModuleSpec:
    source = version.source
    spec = importlib.machinery.ModuleSpec(
        version.unique, Loader(version), origin=str(source.path), is_package=source.is_package
    )
    spec.has_location = True
    vars(spec)["_initializing"] = True  # from this Python tells that a name is missing because of a cycle
    return spec


# -- errors -------------------------------------------------------------------------------------------


def explained(error: BaseException, sources: Sources) -> GameError:
    """The error of a module, as file, line and advice; its message is one line."""
    file, line = blamed(error, sources.texts)
    match error:
        case GameError(file=str(named)) if named:
            return error
        case GameError():
            message = error.message
        case ModuleNotFoundError(name=str(name)) if name.partition(".")[0] in sources.modules:
            message = f"{name} is a module of this game: write `from . import {name}`, or `from .{name} import …`."
        case ModuleNotFoundError(name=str(name)) if name.startswith(f"{sources.name}."):
            short = name.removeprefix(f"{sources.name}.")
            message = f"this game has no module {short}; it has {', '.join(n for n in sources.modules if n)}."
        case ModuleNotFoundError(name=str(name)):
            message = (
                f"there is no module {name}. Install it where perdure is installed, or import something that is there."
            )
        case Overrun(places=places):
            file, line = next(((f, n) for f, n in places if f in sources.texts), (file, line))
            message = f"loading the module does not end: {error}. Do what takes long in a function."
        case _:
            message = f"{type(error).__name__}: {_said(error).rstrip('.')}"
    return GameError(" ".join(_UNIQUE.sub(r"\1", message).split()), file=file, line=line)


def _said(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  (the edge to game code: an author's __str__ may raise, too)
        return "it cannot say more"


def blamed(error: BaseException, files: Mapping[str, object]) -> tuple[str, int]:
    """(file, line) of the innermost of `files` that an error came through; ("", 0) if it came through none."""
    place = ("", 0)
    frame = error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename in files:
            place = (frame.tb_frame.f_code.co_filename, frame.tb_lineno)
        frame = frame.tb_next
    return place
