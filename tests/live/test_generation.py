"""Generations share what is the same, and leave nothing when they are retired."""

import gc
import importlib
import inspect
import logging
import sys
import threading
import typing
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from perdure.live.compiling import Compiled
from perdure.live.generation import ROOT, Registry, Version
from perdure.live.loader import load
from tests.live.games import Playing, alive, compiled, game, loaded

NOISY = """
    import enum, logging, dataclasses
    from typing import Generic, TypeVar
    import msgspec

    log = logging.getLogger(__name__)

    class Kind(msgspec.Struct, frozen=True):
        name: str
        def shout(self): return self.name.upper()

    class Mood(enum.Enum):
        CALM = 1

    @dataclasses.dataclass
    class Mug:
        sips: int = 5

    KINDS = {{"wolf": Kind("wolf")}}
    SIPS = {sips}
"""


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    before = loaded()
    yield
    assert loaded() == before


def test_a_module_is_known_by_its_unique_name_while_it_lives():
    """msgspec, typing and pickle look classes up by it; debuggers its source (FM-45)."""
    generation = load(game({"items.py": "class Sword: ..."}))
    module = generation.modules["items"]
    assert sys.modules[module.__name__] is module
    assert importlib.import_module(module.__name__) is module
    assert __import__(module.__name__).__name__ == ROOT
    assert sys.modules[vars(module)["Sword"].__module__] is module
    assert module.__spec__ is not None
    assert module.__spec__.origin == module.__file__ == "/games/mud/items.py"
    assert inspect.getsource(module) == "class Sword: ...\n"
    generation.release()


def test_unchanged_modules_are_shared_and_live_as_long_as_somebody_uses_them():
    """What was edited, and what sees it, is executed anew; nothing else is (FM-49)."""
    files = {"items.py": "N = 1", "talk.py": "from . import items", "weather.py": ""}
    old, new = load(game(files)), load(game({**files, "items.py": "N = 2"}))
    shared = new.modules["weather"]
    assert old.modules["weather"] is shared
    assert old.modules["talk"] is not new.modules["talk"]
    old.release()
    assert not old.alive
    assert vars(shared)
    new.release()
    assert not vars(shared)


def test_who_holds_a_generation_keeps_it():
    """An `ask` that runs, a room that was not swapped yet (FM-48)."""
    generation = load(game({"items.py": "def n(): return N\nN = 1"}))
    n = vars(generation.modules["items"])["n"]
    generation.hold()
    generation.release()
    assert n() == 1
    generation.release()
    with pytest.raises(NameError):
        n()


def test_two_hundred_reloads_leave_no_old_generation_alive():
    """Modules, classes and what they made are gone, and so is what the loader knew of them (FM-49)."""
    playing = Playing(
        {"kinds.py": NOISY.format(sips=0), "talk.py": "from .kinds import Kind, Mug\nfrom . import kinds"}
    )
    others = loaded() - {module.__name__ for module in playing.generation.modules.values()}
    seen: list[weakref.ref[Any]] = []
    for count in range(1, 205):
        modules = playing.generation.modules
        seen += [weakref.ref(module) for module in modules.values() if module is not modules[""]]
        seen += [weakref.ref(vars(modules["kinds"])[name]) for name in ("Kind", "Mood", "Mug")]
        seen += [weakref.ref(version) for name, version in playing.generation.versions.items() if name]
        seen.append(weakref.ref(playing.generation))
        playing.edit({"kinds.py": NOISY.format(sips=count)})
        assert playing.value("kinds", "SIPS") == count
        del modules
    for clear in typing._cleanups:  # type: ignore[attr-defined]  # it keeps its last 128 subscriptions
        clear()
    assert alive(seen) == 0
    assert len(loaded() - others) == 3
    assert sum(name.startswith("perdure_games.") for name in logging.Logger.manager.loggerDict) == 2
    playing.end()


def test_versions_whose_short_keys_are_alike_get_different_names():
    """Eight digits of a hash may meet."""
    sources = game({"items.py": "N = 1"})
    source, code = sources.modules["items"], compiled(sources)["items"]
    assert isinstance(code, Compiled)
    first = Version("mud", "a" * 64, source, code)
    sys.modules[first.unique] = sys
    try:
        second = Version("mud", "a" * 32 + "b" * 32, source, code)
    finally:
        del sys.modules[first.unique]
    assert first.unique == "perdure_games.mud_aaaaaaaa.items"
    assert second.unique == "perdure_games.mud_aaaaaaaaaaaaaaaa.items"


def test_uses_are_counted_across_threads():
    """A build takes a version while the loop lets go of it."""
    sources = game({"items.py": ""})
    registry, version = Registry(), Version("mud", "a" * 64, sources.modules["items"], compiled(sources)["items"])
    registry.add(version)

    def work() -> None:
        for _ in range(2000):
            assert registry.take(version.key) is version
            registry.release([version])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert version.uses == 1
    registry.release([version])
    assert registry.take(version.key) is None
    gc.collect()
