"""Generations live aside, each under its own name, and leave nothing behind when they fail."""

import sys
from pathlib import Path

import pytest

from perdure.errors import GameError
from perdure.live.generation import ROOT, Generation
from perdure.live.loader import load
from perdure.live.sources import capture


def loaded(folder: Path, **files: str) -> Generation:
    """The generation of a folder with these files."""
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return load(capture(folder))


def ours() -> set[str]:
    return {name for name in sys.modules if name.startswith(ROOT + ".")}


@pytest.mark.parametrize(
    "statement",
    [
        "from . import items",
        "from mud import items",
        "import mud.items as items",
        "import mud.items; items = mud.items",
        "from .items import SWORD; from . import items",
        "import importlib; items = importlib.import_module('.items', __package__)",
    ],
)
def test_every_way_to_import_means_this_generation(tmp_path, statement):
    """Relative or by the game's own name: the same module, executed once."""
    generation = loaded(tmp_path / "mud", talk=f"{statement}\nKIND = items.SWORD", items="SWORD = object()")
    modules = generation.modules
    assert vars(modules["talk"])["KIND"] is vars(modules["items"])["SWORD"]
    assert "mud" not in sys.modules
    generation.release()


def test_two_generations_live_side_by_side(tmp_path):
    """Each sees its own modules, under names of its own (FM-45)."""
    old = loaded(tmp_path / "mud", talk="from mud.items import N", items="N = 1")
    new = loaded(tmp_path / "mud", items="N = 2")
    assert (vars(old.modules["talk"])["N"], vars(new.modules["talk"])["N"]) == (1, 2)
    assert old.modules["items"].__name__ != new.modules["items"].__name__
    old.release()
    new.release()


def test_nothing_executes_twice(tmp_path):
    """Neither through an import and the loader, nor when the same sources are loaded again."""
    runs = tmp_path / "runs"
    count = f"with open({str(runs)!r}, 'a') as file: file.write('x')"
    first = loaded(tmp_path / "mud", talk="from . import items", items=count)
    second = load(capture(tmp_path / "mud"))
    assert second.modules == first.modules
    assert runs.read_text() == "x"
    first.release()
    second.release()


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("x = 1\ny = (", 2, "never closed"),
        ("\n\nraise ValueError('no')", 3, "ValueError: no"),
        ("import items", 1, "write `from . import items`"),
        ("from . import swords", 1, "swords"),
        ("import no_such_library", 1, "Install it where perdure is installed"),
        ("from .broken import x", 2, "ZeroDivisionError"),
    ],
)
def test_a_module_that_does_not_load_is_named_with_its_line(tmp_path, text, line, message):
    """File, line and what to do; and nothing of the generation stays (FM-44)."""
    before = ours()
    with pytest.raises(GameError) as error:
        loaded(tmp_path / "mud", talk=text, items="", broken="x = 1\nx / 0" if "broken" in text else "")
    guilty = "broken.py" if "broken" in text else "talk.py"
    assert error.value.file == str(tmp_path / "mud" / guilty)
    assert error.value.line == line
    assert message in str(error.value)
    assert ours() == before


def test_a_game_with_a_mistake_loads_once_it_is_mended(tmp_path):
    """A failed attempt is no obstacle for the next (FM-89)."""
    with pytest.raises(GameError):
        loaded(tmp_path / "mud", items="x = ")
    generation = loaded(tmp_path / "mud", items="x = 1")
    assert vars(generation.modules["items"])["x"] == 1
    generation.release()


def test_a_single_file_is_a_game(tmp_path):
    """It has no package around it."""
    (tmp_path / "tavern.py").write_text("x = 1")
    generation = load(capture(tmp_path / "tavern.py"))
    assert vars(generation.modules[""])["x"] == 1
    generation.release()


def test_modules_with_an_import_cycle_load(tmp_path):
    """As they do in Python: what is imported late is there late."""
    generation = loaded(
        tmp_path / "mud",
        items="from . import talk\nN = 1",
        talk="from . import items\ndef n():\n    return items.N",
    )
    assert vars(generation.modules["talk"])["n"]() == 1
    generation.release()


def test_a_file_that_is_no_text_is_named(tmp_path):
    """Half a download, or a file that a crash filled with zeros (FM-43)."""
    with pytest.raises(GameError, match=r"items\.py"):
        loaded(tmp_path / "mud", items="x = 1\0")
