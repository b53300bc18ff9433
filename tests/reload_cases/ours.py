"""Perdure's loader as a tool that plays cases, and what is asserted of it in every case."""

from __future__ import annotations

import gc
import sys
import typing
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from perdure.live.building import Builder, Built
from perdure.live.compiling import compile_here
from perdure.live.generation import ROOT, Generation
from perdure.live.sources import capture
from tests.reload_cases.case import Report


class Perdure:
    """Builds generation after generation.

    Args:
        body_s: How long a module's body may run.
        holds: Whether the caller holds the generations that it has objects of, as one must, until `let_go`.

    Attributes:
        built: What came of the last reload.
        remains: What is left of code that is not in effect any more.
    """

    def __init__(self, body_s: float, *, holds: bool) -> None:
        self._builder = Builder(compile_here, lambda _: None, deadline_s=body_s)
        self._holds = holds
        self._held: list[Generation] = []
        self.remains = Remains()

    def begin(self, folder: Path) -> None:
        self._folder = folder
        self.built: Built[None] = self._builder.build(None, capture(folder))

    def modules(self) -> Mapping[str, ModuleType]:
        return self.built.generation.modules

    def reload(self, changed: list[str]) -> list[str]:
        before = self.built.generation
        self.remains.add(before.modules)
        self.built = self._builder.build(before, capture(self._folder))
        self.remains.spare(self.modules())
        if self.built.generation is not before:
            self._held.append(before)
            if not self._holds:
                self.let_go()
        return [failed.message for failed in self.built.failed]

    def let_go(self) -> None:
        """The caller has no object of earlier code any more."""
        while self._held:
            self._held.pop().release()

    def end(self) -> None:
        """Let go of all code."""
        self.let_go()
        self.remains.add(self.modules())
        self.built.generation.release()
        del self.built


class Remains:
    """Modules of replaced code, with the functions and classes that they define, by weak reference."""

    def __init__(self) -> None:
        self._things: dict[tuple[str, str], weakref.ref[Any]] = {}

    def add(self, modules: Mapping[str, ModuleType]) -> None:
        self._things |= {name: weakref.ref(thing) for name, thing in _things(modules)}

    def spare(self, modules: Mapping[str, ModuleType]) -> None:
        """These modules are in effect again, or still."""
        spared = {module.__name__ for module in modules.values()}
        self._things = {name: ref for name, ref in self._things.items() if name[0] not in spared}

    def alive(self) -> list[str]:
        """What somebody still holds. What `typing` caches does not count: the last 128 subscriptions of the process."""
        for clear in typing._cleanups:  # type: ignore[attr-defined]
            clear()
        for _ in range(2):  # what only a decoder holds, into which the collector can't look, goes in the second round
            gc.collect()
        return sorted(f"{module} {name}" for (module, name), thing in self._things.items() if thing() is not None)


def loaded() -> list[str]:
    """The names in `sys.modules` that belong to games."""
    return sorted(name for name in sys.modules if name.startswith(f"{ROOT}."))


def check_report(built: Any, expected: Report, *, warnings: bool = True) -> None:
    """What a reload reports of modules: exactly what is expected, and at least these warnings.

    Args:
        built: Something with the lists of a `Built`.
        warnings: Whether those are compared, too.
    """
    for what in ("refreshed", "added", "removed"):
        assert sorted(getattr(built, what)) == sorted(getattr(expected, what)), what
    assert [failed.module for failed in built.failed] == [module for module, _, _ in expected.failed]
    for failed, (_, line, part) in zip(built.failed, expected.failed, strict=True):
        assert failed.line == line or (not line and failed.line > 0)
        assert part in failed.message
        assert "\n" not in failed.message
    assert [held.module for held in built.held] == [module for module, _ in expected.held]
    for held, (_, part) in zip(built.held, expected.held, strict=True):
        assert part in held.because
        assert "\n" not in held.because
    warned = [(warned.module, warned.message) for warned in built.warnings]
    if warnings:
        _check_warnings(warned, expected.warnings)


def _check_warnings(warned: Sequence[tuple[str, str]], expected: Sequence[tuple[str, str]]) -> None:
    for module, part in expected:
        assert any(module == name and part in message for name, message in warned), (module, part, warned)
    assert {module for module, _ in warned} == {module for module, _ in expected}, "a warning that nobody expected"


def _things(modules: Mapping[str, ModuleType]) -> Iterator[tuple[tuple[str, str], Any]]:
    for module in modules.values():
        unique = module.__name__
        yield (unique, ""), module
        for name, value in vars(module).items():
            if isinstance(value, type | FunctionType) and value.__module__ == unique:
                yield (unique, name), value
