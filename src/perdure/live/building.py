"""Building the next generation: what of an edit can serve does, what cannot keeps its last good code.

Theory of operation. The new sources are loaded beside the good generation. A module that does not load gets its
last good source back, or is left out if it is new. If it is unchanged, a changed file that the error names gets its
own back, or else the nearest of the module's dependencies that changed. Then it is tried again, with what was loaded
so far. Each step puts at least one file back, so it ends: with the good generation at the latest. Modules that import
each other count as one.

What a generation may be beyond loading is up to `check`, which makes the product that somebody wants of it; a
`GameError` with a file in it counts against the module in that file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from perdure.errors import GameError
from perdure.live.compiling import Compiled, Compiler, NotCompiled
from perdure.live.deadline import Deadline
from perdure.live.effects import Warned, grown, sizes_of
from perdure.live.generation import Generation, Version
from perdure.live.graph import Graph, dependencies, graph_of
from perdure.live.loader import Loading, NotLoaded, explained
from perdure.live.sources import Source, Sources

__all__ = ["Builder", "Built", "Failed", "Held", "Warned"]

DEADLINE_S = 10.0
"""For the body of one module."""

T = TypeVar("T")


class Failed(NamedTuple):
    """A module whose new source does not load.

    Attributes:
        module: Name inside the game; of a data file its path there; "" for the game as a whole, too.
        file, line: Where; "" and 0 if no place is to blame.
        message: One line.
    """

    module: str
    file: str
    line: int
    message: str


class Held(NamedTuple):
    """A module, or data file, that keeps its last good source because of another: one line says which, and why."""

    module: str
    because: str


class Built(NamedTuple, Generic[T]):
    """What came of new sources.

    Attributes:
        generation: What may serve now; its one use is the caller's. The good one itself, without a further use,
            if nothing could be changed or nothing had.
        product: What `check` made of it.
        refreshed: Modules that were there before and were executed anew. Here and below by their names inside the
            game, data files by their paths there, sorted.
        added, removed: Modules.
        failed, held, warnings: See the classes.
    """

    generation: Generation
    product: T
    refreshed: list[str]
    added: list[str]
    removed: list[str]
    failed: list[Failed]
    held: list[Held]
    warnings: list[Warned]


class Builder(Generic[T]):
    """Builds generations.

    Args:
        compiler: Compiles sources.
        check: What else must hold of a generation, and what is wanted of it. It keeps nothing of one that it
            refuses with a `GameError`.
        deadline_s: How long the body of a module may run.
    """

    def __init__(self, compiler: Compiler, check: Callable[[Generation], T], deadline_s: float = DEADLINE_S) -> None:
        self._compiler, self._check, self._deadline = compiler, check, Deadline(deadline_s)

    def build(self, good: Generation | None, new: Sources, *, atomic: bool = False) -> Built[T]:
        """Build the next generation. Blocks; for a thread of its own, one at a time.

        Args:
            good: What serves now; the caller holds it.
            new: What is wanted.
            atomic: All or nothing: the first failure ends it.

        Raises:
            GameError: There is no good generation, and the new one does not load; or `check` refuses the good one.
        """
        attempt = _Attempt(self._compiler, self._check, Loading(self._deadline), good, new, atomic)
        try:
            return attempt.built()
        finally:
            attempt.loading.close()


class _Attempt(Generic[T]):
    """One build."""

    def __init__(
        self,
        compiler: Compiler,
        check: Callable[[Generation], T],
        loading: Loading,
        good: Generation | None,
        new: Sources,
        atomic: bool,
    ) -> None:
        self.compiler, self.check, self.loading, self.atomic = compiler, check, loading, atomic
        self.good, self.sources = good, new
        self.last = good.sources.everything if good else {}
        versions = good.versions.values() if good else ()
        self.compiled = {version.source: version.compiled for version in versions}
        self.before = {version: sizes_of(version.loaded, version.compiled) for version in versions}
        self.failed: list[Failed] = []
        self.held: list[Held] = []
        self.kept: set[str] = set()

    def built(self) -> Built[T]:
        while True:
            self._compile()
            compiled = {name: self.compiled[source] for name, source in self.sources.modules.items()}
            graph = graph_of(self.sources, compiled)
            unchanged = not self._changed(self.sources.everything | self.last)
            try:
                generation = self.good if self.good and unchanged else None
                generation = generation or self.loading.generation(self.sources, compiled, graph)
            except NotLoaded as error:
                self._step_back(error.module, error.members, error)
                continue
            try:
                return self._told(generation, self.check(generation))
            except BaseException as error:  # the edge to the caller's check, which may run a game's code
                if generation is self.good:
                    raise
                refused = explained(error, self.sources)
                generation.release()
                if not isinstance(error, Exception | SystemExit):
                    raise
            self._refused(refused, graph)

    # -- compiling ---------------------------------------------------------------------------------

    def _compile(self) -> None:
        """Make sure that every module of the sources is compiled; those that cannot be are put back."""
        todo = [source for source in self.sources.modules.values() if source not in self.compiled]
        results = dict(zip(todo, self.compiler(todo) if todo else (), strict=True))
        self.compiled.update((s, result) for s, result in results.items() if isinstance(result, Compiled))
        bad = {source.name: result for source, result in results.items() if isinstance(result, NotCompiled)}
        for name, result in bad.items():
            error = GameError(result.message, file=result.file, line=result.line)
            if self.good is None:
                raise error
            self.failed.append(_failed(name, error))
        if bad:
            self._put_back(bad)
            self._end_if_atomic(next(iter(bad)))

    # -- stepping back -----------------------------------------------------------------------------

    def _refused(self, error: GameError, graph: Graph) -> None:
        """`check` found something wrong."""
        module = next((name for name, s in self.sources.everything.items() if str(s.path) == error.file), None)
        members = next((component for component in graph.components if module in component), ())
        self._step_back(module, members, error)

    def _step_back(self, module: str | None, members: Sequence[str], error: GameError) -> None:
        """Put back what a failure is blamed on.

        Args:
            module: Which module failed, or data file; None if that cannot be told.
        """
        if self.good is None:
            raise GameError(error.message, file=error.file, line=error.line) from error
        data = [name for name, s in self.sources.data.items() if str(s.path) == error.file]
        if self._changed(data):
            module, members = data[0], data
        if mine := self._changed(members):
            assert module is not None
            self.failed.append(self._with_context(_failed(module, error), members))
            self._hold((name for name in mine if name != module), f"it belongs together with {_shown(module)}")
            self._put_back(mine)
        elif near := self._named_in(error.message) or self._nearest(members):
            where = f" ({error.file}:{error.line})" if error.file else ""
            self._hold(near, f"{_shown(module or '')} does not load with the new one: {error.message}{where}")
            self._put_back(near)
        else:
            self.failed.append(_failed(module or "", error))
            self._hold_rest("with the changes together the game does not load")
        self._end_if_atomic(module or "")

    def _end_if_atomic(self, module: str) -> None:
        if self.atomic:
            self._hold_rest(f"{_shown(module) or 'the game'} does not load, and it is all or nothing")

    def _hold_rest(self, because: str) -> None:
        rest = self._changed(self.sources.everything | self.last)
        self._hold(rest, because)
        self._put_back(rest)

    def _hold(self, names: Iterable[str], because: str) -> None:
        self.held += [Held(_shown(name), " ".join(because.split())) for name in names]

    def _put_back(self, names: Iterable[str]) -> None:
        changes: dict[str, Source | None] = {name: self.last.get(name) for name in names}
        self.kept |= changes.keys()
        self.sources = self.sources.replaced(changes)

    def _changed(self, names: Iterable[str]) -> list[str]:
        """Those whose source is not the last good one, added and removed ones included."""
        now = self.sources.everything
        return [name for name in names if now.get(name) != self.last.get(name)]

    def _named_in(self, message: str) -> list[str]:
        """The changed files that a message names: what was imported from, the other place where a word is bound."""
        return self._changed(name for name, s in self.sources.everything.items() if str(s.path) in message)

    def _nearest(self, members: Sequence[str]) -> list[str]:
        """The changed dependencies of some modules in the first layer that has any."""
        needed, seen, layer = self._dependencies(), set(members), set(members)
        while layer:
            layer = {other for name in layer for other in needed.get(name, ())} - seen
            seen |= layer
            if changed := self._changed(sorted(layer)):
                return changed
        return []

    def _dependencies(self) -> Mapping[str, frozenset[str]]:
        """Those of the present sources, and those on what is not there any more."""
        assert self.good is not None
        modules = {**self.good.sources.modules, **self.sources.modules}
        compiled = {name: self.compiled[source] for name, source in modules.items()}
        return dependencies(self.sources.name, modules, compiled, self.sources.everything | self.last)

    def _with_context(self, failed: Failed, members: Sequence[str]) -> Failed:
        """A module may fail only because what it needs was put back: then the message says so."""
        needed = self._dependencies()
        kept = self.kept & {name for member in members for name in needed.get(member, ())}
        if not kept:
            return failed
        listed = ", ".join(sorted(_shown(name) for name in kept))
        return failed._replace(message=f"{failed.message.rstrip('.')} (with the last good code of {listed})")

    # -- telling -----------------------------------------------------------------------------------

    def _told(self, generation: Generation, product: T) -> Built[T]:
        was = self.good.versions if self.good else {}
        now = generation.versions
        old, new = {**was, **_data(self.last)}, {**now, **_data(self.sources.everything)}
        return Built(
            generation,
            product,
            refreshed=sorted(_shown(name) for name in new if name in old and new[name] != old[name]),
            added=sorted(_shown(name) for name in new if name not in old),
            removed=sorted(_shown(name) for name in old if name not in new),
            failed=self.failed,
            held=self.held,
            warnings=list(self._warnings(now.values())),
        )

    def _warnings(self, versions: Iterable[Version]) -> Iterator[Warned]:
        for version in versions:
            if version not in self.before:
                yield from version.effects.warnings
                continue
            for name, size in sizes_of(version.loaded, version.compiled).items():
                if size != self.before[version].get(name, size):
                    yield grown(name, version.source, version.compiled, size)


def _data(everything: Mapping[str, Source]) -> dict[str, Source]:
    return {name: source for name, source in everything.items() if source.is_data}


def _failed(module: str, error: GameError) -> Failed:
    return Failed(_shown(module), error.file, error.line, " ".join(error.message.split()))


def _shown(name: str) -> str:
    """Data files are shown by their path in the game, without the "/" in front."""
    return name.removeprefix("/")
