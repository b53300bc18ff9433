"""Games for the tests of `perdure.live`, without a disk."""

from __future__ import annotations

import gc
import sys
import textwrap
import weakref
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from perdure.live.building import Builder, Built
from perdure.live.compiling import Compiled, compile_here
from perdure.live.generation import ROOT, Generation
from perdure.live.graph import Graph, graph_of
from perdure.live.sources import Source, Sources

MUD = Path("/games/mud")


def game(files: Mapping[str, str], root: Path = MUD) -> Sources:
    """The sources of a folder with these files: ``"shop/goods.py"``, ``"creatures.toml"``."""
    folders = {"", *(parent.as_posix() for name in files if name.endswith(".py") for parent in Path(name).parents)} - {
        "."
    }
    everything = {**{f"{folder}/__init__.py".lstrip("/"): "" for folder in folders}, **files}
    modules: dict[str, Source] = {}
    data: dict[str, Source] = {}
    for name, text in everything.items():
        encoded = textwrap.dedent(text).encode()
        if name.endswith(".py"):
            is_package = Path(name).name == "__init__.py"
            dotted = (Path(name).parent if is_package else Path(name).with_suffix("")).as_posix()
            dotted = dotted.replace("/", ".").lstrip(".")
            modules[dotted] = Source(dotted, root / name, encoded, is_package)
        else:
            data[f"/{name}"] = Source(f"/{name}", root / name, encoded, False)
    return Sources(root, modules, data)


def compiled(sources: Sources) -> dict[str, Compiled]:
    results = zip(sources.modules, compile_here(list(sources.modules.values())), strict=True)
    return {name: result for name, result in results if isinstance(result, Compiled)}


def graph(files: Mapping[str, str]) -> Graph:
    sources = game(files)
    return graph_of(sources, compiled(sources))


def check_nothing(generation: Generation) -> None:
    """A check that takes everything."""


def building(deadline_s: float = 10.0) -> Builder[None]:
    return Builder(compile_here, check_nothing, deadline_s)


class Playing:
    """A game that is edited and built again and again."""

    def __init__(self, files: Mapping[str, str], builder: Builder[Any] | None = None) -> None:
        self.builder = builder or building()
        self.files = dict(files)
        self.built: Built[Any] = self.builder.build(None, game(self.files))

    @property
    def generation(self) -> Generation:
        return self.built.generation

    def edit(self, changes: Mapping[str, str | None], *, atomic: bool = False) -> Built[Any]:
        """Change files, None removes one; build; and let go of the generation before."""
        self.files = {name: text for name, text in {**self.files, **changes}.items() if text is not None}
        before = self.generation
        self.built = self.builder.build(before, game(self.files), atomic=atomic)
        if self.generation is not before:
            before.release()
        return self.built

    def value(self, module: str, name: str) -> Any:
        return vars(self.generation.modules[module])[name]

    def end(self) -> None:
        self.generation.release()


def loaded() -> set[str]:
    """What there is of games in `sys.modules`."""
    return {name for name in sys.modules if name.startswith(f"{ROOT}.")}


def alive(things: Iterable[weakref.ref[Any]]) -> int:
    """How many of these still are."""
    gc.collect()
    return sum(thing() is not None for thing in things)
