"""Code that is replaced while an asyncio program runs: what a bot, a server or a worker needs, without a world.

    live = Live("commands")
    live.load()
    async with live.watching():
        with live.code() as modules:
            modules["greet"].run("Ada")

A reload never stops the loop: files are read and compiled aside, bodies run in a thread of their own, and the
swap is one assignment on the loop's thread. Whoever is inside `code()` keeps what they have; a generation that
nobody uses any more is cleared.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from perdure.errors import GameError
from perdure.live.building import Builder, Built, Failed, Held, Warned
from perdure.live.compiling import CompileHelper
from perdure.live.generation import Generation
from perdure.live.sources import capture
from perdure.live.watching import changes


class Report(NamedTuple):
    """What a reload did. Modules are named as inside the folder, data files by their path in it.

    Attributes:
        refreshed, added, removed: Names of what changed.
        failed: What could not be loaded; its last good version goes on, a new one is left out.
        held: What was left as it was, because of something that failed.
        warnings: What the modules left behind where a reload does not reach.
    """

    refreshed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    failed: tuple[Failed, ...] = ()
    held: tuple[Held, ...] = ()
    warnings: tuple[Warned, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether other code runs now."""
        return bool(self.refreshed or self.added or self.removed)

    @property
    def lines(self) -> list[str]:
        """The report for people."""
        done = [("reloaded", self.refreshed), ("added", self.added), ("removed", self.removed)]
        told = [f"{word}: {', '.join(name or 'the package' for name in names)}" for word, names in done if names]
        told += [f"failed: {_place(failed)}{failed.message}" for failed in self.failed]
        told += [f"held: {held.module or 'the package'}, because {held.because}" for held in self.held]
        told += [f"warning: {_place(warned)}{warned.message}" for warned in self.warnings]
        return told or ["nothing changed"]


def _place(entry: Failed | Warned) -> str:
    line = f":{entry.line}" if entry.line else ""
    return f"{entry.file}{line}: " if entry.file else ""


def _tell(report: Report) -> None:
    sys.stderr.write("".join(f"{line}\n" for line in report.lines))


class Live:
    """The newest good code of a folder or ``.py`` file. Used from one event loop's thread.

    Args:
        path: What to load.
        on_report: Called on the loop's thread after each reload that did or failed something; by default its lines
            go to the standard error output.
    """

    def __init__(self, path: str | Path, *, on_report: Callable[[Report], None] = _tell) -> None:
        self.path = Path(path)
        self._on_report = on_report
        self._compiler = CompileHelper()
        self._builder: Builder[None] = Builder(self._compiler, lambda _: None)
        self._thread = ThreadPoolExecutor(1, "perdure build")
        self._turn = asyncio.Lock()
        self._generation: Generation | None = None
        self._tried = ""

    @property
    def generation(self) -> str:
        """Hash of the code that runs; "" before `load`."""
        return self._generation.id if self._generation else ""

    def load(self) -> None:
        """Load the code for the first time. Blocks.

        Raises:
            GameError: It does not load: the file, the line, and what to do.
        """
        assert self._generation is None, "load() is called once; from then on, reload()"
        sources = capture(self.path)
        self._generation = self._thread.submit(self._builder.build, None, sources).result().generation
        self._tried = sources.generation

    async def reload(self) -> Report:
        """Load what changed, if anything did. One reload at a time; others wait.

        Never raises for what is wrong with the code: that is in the report, and the last good code goes on.
        """
        return await self._reload(again=True)

    @contextmanager
    def code(self) -> Iterator[Mapping[str, ModuleType]]:
        """The modules by name, "" for the package itself; they stay what they are until the block is left."""
        generation = self._generation
        assert generation is not None, "load() comes first"
        generation.hold()
        try:
            yield generation.modules
        finally:
            generation.release()

    @asynccontextmanager
    async def watching(self, *, poll: bool = False) -> AsyncIterator[None]:
        """Reload whenever a file changes, until the block is left.

        Args:
            poll: Whether to read the files again and again, where the kernel does not tell of changes.
        """
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self._watch(poll))
            try:
                yield
            finally:
                task.cancel()

    def close(self) -> None:
        """Let go of the code and of the process that compiles. Nothing is loaded afterwards."""
        generation, self._generation = self._generation, None
        if generation is not None:
            generation.release()
        self._thread.shutdown()
        self._compiler.close()

    async def _watch(self, poll: bool) -> None:
        async for _ in changes(self.path, poll):
            await self._reload(again=False)

    async def _reload(self, *, again: bool) -> Report:
        """Reload; whoever stops waiting does not stop it halfway."""
        return await asyncio.shield(asyncio.ensure_future(self._reloaded(again)))

    async def _reloaded(self, again: bool) -> Report:
        async with self._turn:
            good = self._generation
            assert good is not None, "load() comes first, and close() last"
            built = await asyncio.get_running_loop().run_in_executor(self._thread, self._build, good, again)
            if isinstance(built, Built) and self._generation is not good:
                built.generation.release()  # it was closed meanwhile
                return Report()
            if isinstance(built, Built) and built.generation is not good:
                self._generation = built.generation
                good.release()
            report = built if isinstance(built, Report) else _report(built)
            if report != Report():
                self._on_report(report)
            return report

    def _build(self, good: Generation, again: bool) -> Built[None] | Report:
        """What comes of the files as they are now; an empty report if that is known."""
        try:
            sources = capture(self.path)
        except GameError as error:
            return self._unreadable(error, again)
        if sources.generation == self._tried and not again:
            return Report()
        self._tried = sources.generation
        return self._builder.build(good, sources)

    def _unreadable(self, error: GameError, again: bool) -> Report:
        known, self._tried = self._tried, str(error)
        return Report() if known == self._tried and not again else Report(failed=(_failed(error),))


def _failed(error: GameError) -> Failed:
    return Failed("", error.file, error.line, " ".join(error.message.split()))


def _report(built: Built[None]) -> Report:
    return Report(
        tuple(built.refreshed),
        tuple(built.added),
        tuple(built.removed),
        tuple(built.failed),
        tuple(built.held),
        tuple(built.warnings),
    )
