"""Perdure's loader as a tool that plays cases, and what is asserted of it in every case."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from perdure.live.building import Builder, Built
from perdure.live.compiling import compile_here
from perdure.live.loader import ROOT
from perdure.live.sources import capture
from tests.reload_cases.case import Report


class Perdure:
    """Builds generation after generation, and lets go of each when the next one is in effect.

    Attributes:
        built: What came of the last reload.
        remains: What is left of code that is not in effect any more.
    """

    def __init__(self, body_s: float) -> None:
        self._builder = Builder(compile_here, lambda _: None, deadline_s=body_s)
        self.remains = Remains()

    def begin(self, folder: Path) -> None:
        self._folder = folder
        self.built: Built[None] = self._builder.build(None, capture(folder))

    def modules(self) -> Mapping[str, ModuleType]:
        return self.built.generation.modules

    def reload(self, changed: list[str]) -> list[str]:
        before = self.built.generation
        self.built = self._builder.build(before, capture(self._folder))
        now = self.modules()
        self.remains.add({name: module for name, module in before.modules.items() if now.get(name) is not module})
        if self.built.generation is not before:
            before.release()
        return [failed.message for failed in self.built.failed]

    def end(self) -> None:
        """Let go of the code that is in effect."""
        self.remains.add(self.modules())
        self.built.generation.release()
        del self.built


class Remains:
    """Modules of replaced code, with the functions and classes that they define, by weak reference."""

    def __init__(self) -> None:
        self._things: dict[str, weakref.ref[Any]] = {}

    def add(self, modules: Mapping[str, ModuleType]) -> None:
        self._things |= {name: weakref.ref(thing) for name, thing in _things(modules)}

    def alive(self) -> list[str]:
        """What somebody still holds."""
        gc.collect()
        return sorted(name for name, thing in self._things.items() if thing() is not None)


def loaded() -> list[str]:
    """The names in `sys.modules` that belong to games."""
    return sorted(name for name in sys.modules if name.startswith(f"{ROOT}."))


def check_report(built: Any, expected: Report) -> None:
    """What a reload reports of modules: exactly what is expected, and at least these warnings.

    Args:
        built: Something with the lists of a `Built`.
    """
    for what in ("refreshed", "added", "removed"):
        assert sorted(getattr(built, what)) == sorted(getattr(expected, what)), what
    assert [(failed.module, failed.line) for failed in built.failed] == [failed[:2] for failed in expected.failed]
    for failed, (_, _, part) in zip(built.failed, expected.failed, strict=True):
        assert part in failed.message
        assert "\n" not in failed.message
    assert [(held.module, held.because) for held in built.held] == list(expected.held)
    warned = [(warned.module, warned.message) for warned in built.warnings]
    _check_warnings(warned, expected.warnings)


def _check_warnings(warned: Sequence[tuple[str, str]], expected: Sequence[tuple[str, str]]) -> None:
    for module, part in expected:
        assert any(module == name and part in message for name, message in warned), (module, part, warned)
    assert {module for module, _ in warned} == {module for module, _ in expected}, "a warning that nobody expected"


def _things(modules: Mapping[str, ModuleType]) -> Iterator[tuple[str, Any]]:
    for module in modules.values():
        name = module.__name__
        yield name, module
        for key, value in vars(module).items():
            if isinstance(value, type | FunctionType) and value.__module__ == name:
                yield f"{name}.{key}", value
