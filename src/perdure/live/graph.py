"""Which modules of a game depend on which, and the keys of their versions. Pure.

Dependencies are read from what stands in the sources: every import statement, wherever it stands, and the names of
data files. Whoever binds a whole package to a name may reach all that lies below it, so depends on all of it; so does
a module that imports by a computed name, of which nobody can see what it will ask for.

A version's key is a hash over the module and the keys of all that it depends on (a Merkle tree). Modules that import
each other are one in this: a change of one changes the keys of all of them. Equal keys: equal code, which sees equal
code through each of its imports, so generations may share it.
"""

from __future__ import annotations

import dis
import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import CodeType
from typing import NamedTuple

from perdure.live.compiling import Compiled, Imported
from perdure.live.sources import Source, Sources

_BY_NAME = {"import_module", "__import__"}
"""Functions that import by a computed name."""


class Graph(NamedTuple):
    """How the modules of a game hang together.

    Attributes:
        dependencies: Module -> the modules and data files that it depends on, by their names in `Sources`.
        components: Modules that import each other are together, each else alone; what is depended on comes first.
        keys: Module -> key of its version, 64 hex digits.
    """

    dependencies: Mapping[str, frozenset[str]]
    components: Sequence[tuple[str, ...]]
    keys: Mapping[str, str]


def graph_of(sources: Sources, compiled: Mapping[str, Compiled]) -> Graph:
    """The graph of a game.

    Args:
        compiled: Module -> its compiled source, for all modules.
    """
    needed = dependencies(sources.name, sources.modules, compiled, sources.everything)
    components = components_of({name: needed[name] & sources.modules.keys() for name in needed})
    return Graph(needed, components, _keys(sources, needed, components))


def inner(package: str, name: str) -> str:
    """The dotted name of something in a package of the game; the game itself is ""."""
    return f"{package}.{name}" if package and name else package or name


def is_below(name: str, package: str) -> bool:
    """Whether a module lies in a package of the game, or in one of its packages."""
    return name.startswith(f"{package}.") if package else bool(name)


def base_of(game: str, module: str, is_package: bool, level: int, name: str) -> str | None:
    """What an import statement's module is called inside the game.

    Args:
        module: Who imports; `is_package` says whether it is a package.
        level: Dots in front of `name`.
    Returns:
        None if it is no module of the game, or lies above it.
    """
    if not level:
        root, _, rest = name.partition(".")
        return rest if root == game else None
    parts = module.split(".") if module else []
    dropped = level - is_package
    if dropped > len(parts):
        return None
    return inner(".".join(parts[: len(parts) - dropped]), name)


# -- dependencies -------------------------------------------------------------------------------------


def dependencies(
    game: str, modules: Mapping[str, Source], compiled: Mapping[str, Compiled], known: Collection[str]
) -> dict[str, frozenset[str]]:
    """Module -> what it depends on.

    Args:
        game: What the modules call the game.
        known: Names of modules and data files that there are; what else is imported is no dependency.
    """
    finding = _Finding(game, compiled, [name for name in known if not name.startswith("/")])
    found = {name: frozenset(finding.modules(source)) for name, source in modules.items()}
    data = {name for name in known if name.startswith("/")}
    return {name: needed | {f"/{text}" for text in compiled[name].texts} & data for name, needed in found.items()}


class _Finding:
    def __init__(self, game: str, compiled: Mapping[str, Compiled], known: Sequence[str]) -> None:
        self.game, self.compiled, self.known, self.names = game, compiled, known, set(known)

    def modules(self, source: Source) -> Iterator[str]:
        compiled = self.compiled[source.name]
        if _uses(compiled.code, _BY_NAME):
            yield from self.known
        for imported in compiled.imports:
            base = base_of(self.game, source.name, source.is_package, imported.level, imported.module)
            if base is not None:
                yield from self.reached(base, imported)

    def reached(self, base: str, imported: Imported) -> Iterator[str]:
        if imported.binds_package and not imported.names:
            yield from self.whole("")
        elif imported.binds_package or not imported.names:
            yield from self.whole(base)
        else:
            for name in imported.names:
                yield from self.taken(base, name)

    def taken(self, package: str, name: str) -> Iterator[str]:
        """What `from package import name` needs."""
        module = inner(package, name)
        yield from self.whole(module)
        if package in self.names and (module not in self.names or self.defines(package, name)):
            yield package

    def whole(self, name: str) -> Iterator[str]:
        yield from (known for known in self.known if known == name or is_below(known, name))

    def defines(self, package: str, name: str) -> bool:
        """Whether a package's own code gives a meaning to the name of one of its modules."""
        compiled = self.compiled.get(package)
        if compiled is None or name not in compiled.code.co_names:
            return False
        if any(found.level == 1 and not found.module and name in found.names for found in compiled.imports):
            return False
        return line_of(compiled.code, name, "STORE_NAME", "STORE_GLOBAL") > 0


def line_of(code: CodeType, name: str, *operations: str) -> int:
    """The line of a module where one of these operations first meets a name; 0 if none does."""
    line = 0
    for instruction in dis.get_instructions(code):
        line = instruction.starts_line or line
        if instruction.argval == name and instruction.opname in operations:
            return line
    return 0


def _uses(code: CodeType, names: set[str]) -> bool:
    if not names.isdisjoint(code.co_names):
        return True
    return any(_uses(constant, names) for constant in code.co_consts if isinstance(constant, CodeType))


# -- components ---------------------------------------------------------------------------------------


def components_of(needed: Mapping[str, Collection[str]]) -> list[tuple[str, ...]]:
    """The strongly connected components, what is needed first; members by name.

    Robert Tarjan, Depth-first search and linear graph algorithms (1972), without recursion.
    """
    found: list[tuple[str, ...]] = []
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    for root in sorted(needed):
        visits = [] if root in index else [(root, iter(sorted(needed[root])))]
        while visits:
            name, rest = visits[-1]
            if name not in index:
                index[name] = low[name] = len(index)
                stack.append(name)
                on_stack.add(name)
            for other in rest:
                if other not in index:
                    visits.append((other, iter(sorted(needed[other]))))
                    break
                if other in on_stack:
                    low[name] = min(low[name], index[other])
            else:
                visits.pop()
                if visits:
                    low[visits[-1][0]] = min(low[visits[-1][0]], low[name])
                if low[name] == index[name]:
                    at = stack.index(name)
                    found.append(tuple(sorted(stack[at:])))
                    on_stack.difference_update(stack[at:])
                    del stack[at:]
    return found


# -- keys ---------------------------------------------------------------------------------------------


def _keys(
    sources: Sources, needed: Mapping[str, frozenset[str]], components: Sequence[tuple[str, ...]]
) -> dict[str, str]:
    keys = {name: hashlib.sha256(source.data).hexdigest() for name, source in sources.data.items()}
    for component in components:
        total = hashlib.sha256(f"{sources.name}\n".encode())
        for name in component:
            source = sources.modules[name]
            data = hashlib.sha256(source.data).hexdigest()
            total.update(f"{name}\0{source.path}\0{source.is_package}\0{data}\n".encode("utf-8", "surrogateescape"))
        for other in sorted(set().union(*(needed[name] for name in component)) - set(component)):
            total.update(f"{other}\0{keys[other]}\n".encode())
        for name in component:
            keys[name] = hashlib.sha256(f"{total.hexdigest()} {name}".encode()).hexdigest()
    return {name: keys[name] for name in needed}
