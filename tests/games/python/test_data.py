"""`perdure.data`: data files are code of the game, checked when it is loaded, and named line by line."""

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from perdure.errors import GameError
from perdure.live.building import Builder
from perdure.live.compiling import compile_here
from perdure.live.loader import load
from perdure.live.sources import capture

KIND = """
from typing import NamedTuple
from perdure import data

class Kind(NamedTuple):
    hp: int
    drops: tuple[str, ...] = ()

KINDS = data("creatures.toml", dict[str, Kind])
"""
WOLF = '# creatures\n[wolf]\nhp = 8\ndrops = ["fur"]\n'

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes files of a game, and returns its folder."""

    def write(files: dict[str, str | bytes]) -> Path:
        for name, text in files.items():
            path = tmp_path / "zoo" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return tmp_path / "zoo"

    return write


def refusal(folder: Path) -> GameError:
    with pytest.raises(GameError) as caught:
        load(capture(folder))
    return caught.value


def test_a_data_file_becomes_what_its_type_says(write):
    """By its path below the game's folder, from whichever module."""
    game = write(
        {"beasts/kinds.py": KIND.replace("creatures.toml", "data/creatures.toml"), "data/creatures.toml": WOLF}
    )
    generation = load(capture(game))
    module = generation.modules["beasts.kinds"]
    assert module.KINDS["wolf"] == module.Kind(8, ("fur",))
    generation.release()


def test_a_game_of_one_file_has_its_data_beside_it(write):
    """And the nearest file there is offered when it has another name."""
    folder = write({"tavern.py": KIND, "creatures.toml": WOLF})
    generation = load(capture(folder / "tavern.py"))
    assert generation.modules[""].KINDS["wolf"].hp == 8
    generation.release()
    write({"tavern.py": KIND.replace("creatures", "creature")})
    with pytest.raises(GameError, match=r"there is no creature\.toml in the game; did you mean creatures\.toml\?"):
        load(capture(folder / "tavern.py"))


def test_what_was_captured_is_what_is_read(write):
    """Code and data of a generation fit each other, whatever lies on disk by then (FM-43)."""
    sources = capture(write({"kinds.py": KIND, "creatures.toml": WOLF}))
    write({"creatures.toml": "half of"})
    generation = load(sources)
    assert generation.modules["kinds"].KINDS["wolf"].hp == 8
    generation.release()


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (WOLF.replace("hp = 8", "hp = 'many'"), 3, "wolf.hp: 'many' does not fit; expected a whole number."),
        (WOLF.replace("drops", "drosp"), 4, "wolf.drosp: no such key; did you mean drops? expected one of drops, hp."),
        (WOLF.replace("hp = 8", ""), 2, "wolf: the key hp is missing; add, for example: hp = 1."),
        (WOLF + "[bear\n", 5, "not TOML"),
        (WOLF.encode() + b"\xff", 5, "is not UTF-8. Save the file as UTF-8."),
    ],
)
def test_a_mistake_in_the_data_is_named_where_it_stands(write, text, line, message):
    """File, line, what is wrong, and the nearest valid name."""
    game = write({"kinds.py": KIND, "creatures.toml": text})
    error = refusal(game)
    assert (error.file, error.line) == (str(game / "creatures.toml"), line)
    assert error.message.startswith(message)


@pytest.mark.parametrize(
    ("code", "line", "message"),
    [
        (
            KIND.replace("creatures", "creature"),
            9,
            "there is no creature.toml in the game; did you mean creatures.toml?",
        ),
        (
            KIND.replace("KINDS =", "def kinds():\n   return").replace(")\n\nKI", ")\n") + "kinds()",
            10,
            "Move this line",
        ),
        (KIND.replace('"creatures.toml"', '"creatures" + ".toml"'), 9, "is written out where it is read"),
        (KIND.replace('"creatures.toml"', '".".join(("creatures", "toml"))'), 9, "is written out where it is read"),
        (KIND.replace("creatures.toml", "../creatures.toml"), 9, "names no .toml file below the game's folder"),
        (KIND.replace("creatures.toml", "creatures.json"), 9, "names no .toml file below the game's folder"),
        (
            KIND.replace("(NamedTuple)", "(Struct)").replace(
                "from perdure", "from msgspec import Struct\nfrom perdure"
            ),
            10,
            "make it frozen: class Kind(Struct, frozen=True)",
        ),
    ],
)
def test_a_call_that_cannot_work_says_what_to_do(write, code, line, message):
    """At the author's line. A name that is computed would not be seen to be needed when the file changes."""
    game = write({"kinds.py": code, "creatures.toml": WOLF})
    error = refusal(game)
    assert message in error.message
    assert (error.file, error.line) == (str(game / "kinds.py"), line)


def test_data_reload_as_code_does(write):
    """A change loads the modules that name the file; a mistake leaves the last good data (FM-44, FM-45)."""
    builder = Builder(compile_here, lambda generation: None)
    game = write({"kinds.py": KIND, "creatures.toml": WOLF, "other.py": "x = 1"})
    first = builder.build(None, capture(game)).generation

    write({"creatures.toml": WOLF.replace("8", "9")})
    built = builder.build(first, capture(game))
    second = built.generation
    assert built.refreshed == ["creatures.toml", "kinds"]
    assert second.modules["kinds"].KINDS["wolf"].hp == 9
    assert second.modules["other"] is first.modules["other"]

    write({"creatures.toml": WOLF.replace("hp", "ph")})
    built = builder.build(second, capture(game))
    assert built.generation is second
    assert [(failed.module, failed.line) for failed in built.failed] == [("creatures.toml", 3)]

    (game / "creatures.toml").unlink()
    built = builder.build(second, capture(game))
    assert built.generation is second
    assert [entry.module for entry in built.held] == ["creatures.toml"]
    first.release()
    second.release()


def test_a_game_that_is_imported_by_a_test_reads_the_file(write, monkeypatch):
    """`perdure.room(Zoo)` in a test: the game was imported in the ordinary way, and there is no generation."""
    game = write({"__init__.py": "", "beasts/__init__.py": "", "beasts/kinds.py": KIND, "creatures.toml": WOLF})
    monkeypatch.syspath_prepend(game.parent)
    assert importlib.import_module("zoo.beasts.kinds").KINDS["wolf"].hp == 8
    (game / "creatures.toml").unlink()
    monkeypatch.delitem(sys.modules, "zoo.beasts.kinds")
    with pytest.raises(GameError, match=r"there is no creatures\.toml in the game"):
        importlib.import_module("zoo.beasts.kinds")
    for name in ("zoo", "zoo.beasts"):
        monkeypatch.delitem(sys.modules, name)


def test_mypy_knows_the_type(write, tmp_path):
    """`data("…", dict[str, Kind])` is a `dict[str, Kind]`."""
    game = write({"kinds.py": KIND + "reveal_type(KINDS)\n"})
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "--cache-dir", str(tmp_path / "cache")]
    done = subprocess.run([*command, str(game / "kinds.py")], capture_output=True, text=True, timeout=240, check=False)
    assert "Success" in done.stdout
    assert "dict[str, tuple[int, tuple[str, ...], fallback=kinds.Kind]]" in done.stdout.replace("builtins.", "")
