"""Looking at a game's modules, classes and methods. What is found is judged in `collect`."""

from __future__ import annotations

import ast
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from perdure.games.python.api import Game, Module, Player
from perdure.games.python.marks import MigrateMark, marks_of
from perdure.games.python.patterns import Kind, Pattern, PatternError
from perdure.room.tables import Migration


class Place(NamedTuple):
    """Where something stands in the author's files."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def place_of(kind: type, attribute: str, texts: Mapping[str, str]) -> Place:
    """Where a class, or an attribute in its body, stands; line 0 where that cannot be told."""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None) or ""
    for node in ast.walk(ast.parse(texts.get(file, ""))):
        if isinstance(node, ast.ClassDef) and node.name == kind.__name__:
            return Place(file, _line_in(node, attribute) or node.lineno)
    return Place(file, 0)


def _line_in(node: ast.ClassDef, attribute: str) -> int:
    for inner in node.body:
        match inner:
            case ast.AnnAssign(target=ast.Name(id=name)) if name == attribute:
                return inner.lineno
            case ast.Assign(targets=[ast.Name(id=name)]) if name == attribute:
                return inner.lineno
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if name == attribute:
                return inner.lineno
    return 0


def in_order(modules: Mapping[str, types.ModuleType]) -> dict[str, types.ModuleType]:
    """The modules so that what is imported comes before what imports it, else by name.

    Seen from what their namespaces hold, so the order depends on the code and not on how it was loaded.
    """
    named = {module.__name__: name for name, module in sorted(modules.items())}
    ordered: dict[str, types.ModuleType] = {}
    visiting: set[str] = set()

    def visit(name: str) -> None:
        if name in visiting:
            return
        visiting.add(name)
        for value in vars(modules[name]).values():
            origin = value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None)
            if isinstance(origin, str) and origin in named:
                visit(named[origin])
        ordered[name] = modules[name]

    for name in named.values():
        visit(name)
    return ordered


T = typing.TypeVar("T")


def classes(modules: Mapping[str, types.ModuleType], base: type[T]) -> Iterator[type[T]]:
    """The subclasses of `base` that the game's modules define and that no other of them extends."""
    found = [
        kind
        for module in modules.values()
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, base) and kind.__module__ == module.__name__
    ]
    unique = list(dict.fromkeys(found))
    yield from (kind for kind in unique if not any(k is not kind and issubclass(k, kind) for k in unique))


def migrations_in(modules: Mapping[str, types.ModuleType]) -> Iterator[tuple[MigrateMark, Migration]]:
    for module in modules.values():
        for function in vars(module).values():
            if isinstance(function, types.FunctionType) and function.__module__ == module.__name__:
                yield from ((mark, function) for mark in marks_of(function) if isinstance(mark, MigrateMark))


def methods_of(kind: type[Module]) -> list[str]:
    """Names of the methods that the game's classes give `kind`, base classes first."""
    names: dict[str, None] = {}
    for base in reversed(kind.__mro__):
        if issubclass(base, Module) and base not in (Module, Game):
            names.update(dict.fromkeys(n for n, value in vars(base).items() if isinstance(value, types.FunctionType)))
    return list(names)


def is_key(key: Any) -> bool:
    if key in (str, int):
        return True
    parts = typing.get_args(key)
    if typing.get_origin(key) in (typing.Union, types.UnionType, tuple):
        return bool(parts) and all(part is Ellipsis or is_key(part) for part in parts)
    return False


def kinds_of(function: types.FunctionType) -> Callable[[str], Kind]:
    """Parameter name -> its kind, by the method's annotations."""
    parameters = inspect.signature(function).parameters

    def kind_of(name: str) -> Kind:
        if name not in parameters:
            raise PatternError(f"names {name.upper()}, and the method has no parameter {name}")
        annotation = parameters[name].annotation
        if isinstance(annotation, str):
            try:
                annotation = eval(annotation, function.__globals__)
            except Exception as error:  # an author's expression may raise anything
                raise PatternError(f"needs the type of {name}, and {annotation} does not evaluate: {error}") from error
        if typing.get_origin(annotation) in (typing.Union, types.UnionType):
            annotation = next(part for part in typing.get_args(annotation) if part is not types.NoneType)
        kinds: dict[Any, Kind] = {inspect.Parameter.empty: "str", str: "str", int: "int", float: "float"}
        kinds[Player] = "Player"
        if annotation not in kinds:
            raise PatternError(f"has the parameter {name} of type {annotation}; use str, int, float or Player")
        return kinds[annotation]

    return kind_of


def check_parameters(function: types.FunctionType, pattern: Pattern) -> None:
    """Make sure that the pattern gives the method what it needs."""
    parameters = list(inspect.signature(function).parameters.values())
    if len(parameters) < 2:
        raise PatternError(f"belongs to a method {function.__name__}(self, player, …): who typed it comes first")
    given = {param.name: param for param in pattern.params}
    if len(given) != len(pattern.params):
        raise PatternError("names a parameter twice")
    for parameter in parameters[2:]:
        needed = parameter.default is inspect.Parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
        if needed and parameter.name not in given:
            raise PatternError(f"does not name {parameter.name.upper()}, which the method {function.__name__} needs")
        if needed and given[parameter.name].optional:
            raise PatternError(f"may leave out {parameter.name.upper()}: give the parameter a default")
