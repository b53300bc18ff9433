"""The build number rises when sources change, and never otherwise."""

from pathlib import Path

import pytest

from perdure.supervisor.build import (
    FILE_NAME,
    Build,
    current_build,
    newest,
    number_of,
    perdure_source,
    stored_number,
)


def test_the_number_rises_with_the_games_sources(tmp_path: Path) -> None:
    """A changed, added or removed line of a game is another build; the same sources are the same one."""
    game = tmp_path / "game"
    game.mkdir()
    (game / "a.py").write_text("x = 1\n")
    assert stored_number(tmp_path) == 0
    assert [current_build(tmp_path, [game]).number for _ in range(2)] == [1, 1]
    (game / "a.py").write_text("x = 2\n")
    assert current_build(tmp_path, [game]).number == 2
    (game / "b.py").write_text("")
    assert current_build(tmp_path, [game]).number == 3
    (game / "notes.txt").write_text("not a source")
    build = current_build(tmp_path, [game])
    assert (build.number, build.source) == (3, perdure_source())
    assert stored_number(tmp_path) == 3


def test_a_game_may_be_one_file(tmp_path: Path) -> None:
    """As in perdure.toml."""
    file = tmp_path / "game.py"
    file.write_text("x = 1\n")
    assert current_build(tmp_path, [file]).number == 1
    file.write_text("x = 2\n")
    assert current_build(tmp_path, [file]).number == 2


@pytest.mark.parametrize("content", [b"", b"nonsense", b'{"number": "x"}'])
def test_a_damaged_counter_starts_anew(tmp_path: Path, content: bytes) -> None:
    """It only labels; nothing hangs on it (FM-35)."""
    (tmp_path / FILE_NAME).write_bytes(content)
    assert current_build(tmp_path, []).number == 1


def test_a_folder_that_takes_no_file_costs_the_number_only(tmp_path: Path) -> None:
    """A server starts on a full disk too."""
    assert current_build(tmp_path / "missing", []).number == 1


def test_a_program_that_comes_back_is_a_new_build(tmp_path: Path) -> None:
    """The number says in which order programs were started, so it never falls."""
    assert [number_of(tmp_path, source) for source in ("a", "a", "b", "a")] == [1, 1, 2, 3]
    assert newest(tmp_path) == Build(3, "a")
