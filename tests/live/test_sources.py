"""What is captured of a game's folder, and what is refused by name."""

from pathlib import Path

import pytest

from perdure.errors import GameError
from perdure.live.sources import capture


def written(folder: Path, **files: str) -> Path:
    """A folder with these files; `__` in a name is a slash."""
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_modules_are_found_by_looking(tmp_path):
    """Files and folders are modules; tests, hidden files and folders without modules are not."""
    game = written(tmp_path / "mud", items="x = 1", zoo__cat="", test_items="", conftest="", tests__test_x="")
    (game / ".hidden.py").write_text("")
    (game / "maps").mkdir()
    (game / "maps" / "town.txt").write_text("")
    sources = capture(game)
    assert sorted(sources.modules) == ["", "items", "zoo", "zoo.cat"]
    assert sources.name == "mud"


def test_equal_code_is_an_equal_generation_wherever_it_lies(tmp_path):
    """A generation is the hash of names and bytes, and of nothing else."""
    here, there = written(tmp_path / "a" / "mud", items="x = 1"), written(tmp_path / "b" / "mud", items="x = 1")
    assert capture(here).generation == capture(there).generation
    (there / "items.py").write_text("x = 2")
    assert capture(here).generation != capture(there).generation
    (there / "items.py").rename(there / "things.py")
    (there / "things.py").write_text("x = 1")
    assert capture(here).generation != capture(there).generation


def test_a_captured_file_may_change_without_changing_what_was_captured(tmp_path):
    """A half-written file cannot get into a generation that was captured before (FM-43)."""
    game = written(tmp_path / "mud", items="x = 1")
    sources = capture(game)
    (game / "items.py").write_text("x = ")
    assert sources.modules["items"].data == b"x = 1"


@pytest.mark.parametrize("name", ["random", "zoo__types", "perdure"])
def test_a_module_named_like_a_standard_one_is_refused_by_name(tmp_path, name):
    """`import random` must never be a riddle."""
    with pytest.raises(GameError, match=rf"{name.rpartition('__')[2]}\.py: is named like .*Rename it"):
        capture(written(tmp_path / "mud", **{name: ""}, items="x = 1"))


def test_a_name_that_python_cannot_import_is_refused(tmp_path):
    """The message offers one that it can."""
    with pytest.raises(GameError, match="Rename it, to my_items"):
        capture(written(tmp_path / "mud", **{"my-items": "x = 1"}))


def test_a_file_and_a_folder_of_one_name_are_refused(tmp_path):
    """Which of them an import would mean, nobody could tell."""
    with pytest.raises(GameError, match="both a file and a folder"):
        capture(written(tmp_path / "mud", items="x = 1", items__sword=""))


def test_a_path_without_a_game_is_refused(tmp_path):
    """Nothing there, an empty folder, a file that is no Python."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("")
    for path in (tmp_path / "nowhere", tmp_path / "empty", tmp_path / "notes.txt"):
        with pytest.raises(GameError, match=r"no game|no Python modules"):
            capture(path)


def test_a_dangling_link_is_no_module(tmp_path):
    """Editors leave such links beside files that are open (FM-43)."""
    game = written(tmp_path / "mud", items="x = 1")
    (game / "locked.py").symlink_to(tmp_path / "nowhere")
    assert sorted(capture(game).modules) == ["", "items"]


def test_a_link_gives_the_game_its_own_name(tmp_path):
    """Releases are often switched by a link."""
    written(tmp_path / "2026-11", items="x = 1")
    (tmp_path / "mud").symlink_to(tmp_path / "2026-11")
    assert capture(tmp_path / "mud").name == "mud"
