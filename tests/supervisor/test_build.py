"""The build number rises when sources change, and never otherwise."""

from pathlib import Path

import pytest

from perdure.supervisor.build import FILE_NAME, Build, newest, number_of


@pytest.mark.parametrize("content", [b"", b"nonsense", b'{"number": "x"}'])
def test_a_damaged_counter_starts_anew(tmp_path: Path, content: bytes) -> None:
    """It only labels; nothing hangs on it (FM-35)."""
    (tmp_path / FILE_NAME).write_bytes(content)
    assert number_of(tmp_path, "a") == 1


def test_a_folder_that_takes_no_file_costs_the_number_only(tmp_path: Path) -> None:
    """A server starts on a full disk too."""
    assert number_of(tmp_path / "missing", "a") == 1


def test_a_program_that_comes_back_is_a_new_build(tmp_path: Path) -> None:
    """The number says in which order programs were started, so it never falls."""
    assert [number_of(tmp_path, source) for source in ("a", "a", "b", "a")] == [1, 1, 2, 3]
    assert newest(tmp_path) == Build(3, "a")
