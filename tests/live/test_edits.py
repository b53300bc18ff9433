"""Random edits of a game of five modules, also broken ones: never a mixture, and every good edit is live."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, example, given, settings

from perdure.errors import GameError
from perdure.live.generation import Generation
from perdure.live.graph import dependencies, graph_of
from perdure.live.importing import PackageView
from perdure.live.loader import load
from perdure.live.sources import Sources
from tests.live.games import Playing, compiled, game, loaded

FILES = {"a": "a.py", "b": "b.py", "shop": "shop/__init__.py", "shop.c": "shop/c.py", "shop.d": "shop/d.py"}
FORMS = (
    "import mud.{0} as m{1}",
    "from mud.{0} import TEXT as t{1}",
    "def late{1}():\n    import mud.{0} as m\n    return m.TEXT",
    "def late{1}():\n    from mud.{0} import TEXT\n    return TEXT",
    "import mud",
    "from . import *",
)
"""Statements that import module {0}; {1} is its name as part of a name."""
BROKEN = ("", "", "", "", "x = (", "1 / 0", "from mud.nowhere import x", "raise SystemExit")
"""The last line of a module."""

Module = tuple[int, tuple[tuple[str, int], ...], int]
"""Which version of the text, what it imports and how, how it is broken."""

modules = st.tuples(
    st.integers(0, 3),
    st.lists(st.tuples(st.sampled_from(list(FILES)), st.integers(0, len(FORMS) - 1)), max_size=2).map(tuple),
    st.integers(0, len(BROKEN) - 1),
)
edits = st.dictionaries(st.sampled_from(list(FILES)), st.none() | modules, max_size=3)


def text(name: str, module: Module) -> str:
    version, imports, broken = module
    found = [FORMS[form].format(other, other.replace(".", "_")) for other, form in imports]
    own = f"TEXT = '{name} {version}'"  # and again, since a star import brings another's
    return "\n".join([own, *(f"{statement}\n{own}" for statement in found), BROKEN[broken]])


def files(changes: Mapping[str, Module | None]) -> dict[str, str | None]:
    return {FILES[name]: None if module is None else text(name, module) for name, module in changes.items()}


def stated(sources: Sources, name: str) -> Any:
    """The TEXT in the source of a module."""
    line = sources.modules[name].data.decode().partition("\n")[0]
    return line.removeprefix("TEXT = ").strip("'") or None


def check_consistent(generation: Generation) -> None:
    """Every module, and all that it sees of the others now or late, is what the generation's sources say."""
    sources, ours = generation.sources, generation.modules
    assert ours.keys() == sources.modules.keys()
    names = {module.__name__: name for name, module in ours.items()}
    for name, module in ours.items():
        assert vars(module).get("TEXT") == stated(sources, name)
        for key, value in list(vars(module).items()):
            if isinstance(value, PackageView):
                check_view(value, generation, "" if key == "mud" else "shop")
            elif isinstance(value, ModuleType):
                assert value is ours[names[value.__name__]]
            elif key[:4] == "late":
                check_late(value, sources, key[4:].replace("_", "."))
            elif key[0] == "t" and key[1:].replace("_", ".") in FILES:
                assert value == stated(sources, key[1:].replace("_", "."))


def check_late(function: Callable[[], str], sources: Sources, name: str) -> None:
    text = stated(sources, name) if name in sources.modules else None
    if text is None:
        with pytest.raises((ImportError, AttributeError)):
            function()
    else:
        assert function() == text


def check_view(view: ModuleType, generation: Generation, package: str) -> None:
    for name in generation.modules:
        if name.startswith(f"{package}." if package else "") and name != package:
            found: Any = view
            for part in name.removeprefix(f"{package}.").split("."):
                found = getattr(found, part)
            assert getattr(found, "TEXT", None) == stated(generation.sources, name)


def broken_in(sources: Sources) -> set[str]:
    """The modules that do not load, each seen alone with all that it needs."""
    good = compiled(sources)
    broken = set(sources.modules) - set(good)
    for name in good:
        needed = closure([name], needs(sources, good, sources.modules))
        if needed & broken:
            broken.add(name)
            continue
        alone = sources.replaced({other: None for other in sources.modules if other not in needed | {""}})
        try:
            load(alone).release()
        except GameError:
            broken.add(name)
    return broken


def needs(sources: Sources, good: Mapping[str, Any], known: Mapping[str, Any]) -> Mapping[str, frozenset[str]]:
    return dependencies(sources.name, {name: sources.modules[name] for name in good}, good, known)


def closure(names: Iterable[str], *graphs: Mapping[str, frozenset[str]]) -> set[str]:
    """Modules and all that they need, in any of the graphs."""
    found, rest = set[str](), list(names)
    while rest:
        name = rest.pop()
        if name not in found:
            found.add(name)
            rest += [other for needed in graphs for other in needed.get(name, ())]
    return found


def reached_by(names: set[str], before: Sources, after: Sources) -> set[str]:
    """What these modules need, or needed: a failure among them may hold it."""
    known = {**before.modules, **after.modules}
    return closure(names, *(needs(sources, compiled(sources), known) for sources in (before, after)))


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(edits, st.booleans()), min_size=1, max_size=6))
@example([({"a": (1, (("b", 1),), 0), "b": (1, (("a", 1),), 0)}, False)])
def test_no_edit_leaves_a_mixture_and_every_good_edit_is_live(steps):
    """What runs is one generation, whose parts all see each other (FM-42, FM-44, FM-45, FM-47)."""
    before = loaded()
    playing = Playing({path: f"TEXT = '{name} 0'" for name, path in FILES.items()})
    for changes, atomic in steps:
        last = playing.generation.sources
        built = playing.edit(files(changes), atomic=atomic)
        wanted, now = game(playing.files), playing.generation.sources
        check_consistent(playing.generation)
        assert not ({failed.module for failed in built.failed} & {held.module for held in built.held})
        everything_is_live = now.generation == wanted.generation
        assert everything_is_live == (not built.failed and not built.held)
        if atomic:
            assert everything_is_live or now is last
        else:
            broken = broken_in(wanted)
            held = reached_by(broken | {name for name in last.modules if name not in wanted.modules}, last, wanted)
            for name in wanted.modules.keys() - held - broken:
                assert now.modules[name] == wanted.modules[name], name
    playing.end()
    assert loaded() == before


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from(list(FILES)), modules, min_size=1))
def test_the_same_sources_have_the_same_keys(chosen):
    """In any process: nothing but the sources counts, nor does the order in which they were found."""
    sound = {name: (version, imports, 0) for name, (version, imports, _) in chosen.items()}
    some = {path: text for path, text in files(sound).items() if text is not None}
    first, second = game(some), game(dict(reversed(some.items())))
    assert graph_of(first, compiled(first)) == graph_of(second, compiled(second))
