"""mypy --strict knows every type in what authors copy."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

STRICT = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "--cache-dir"]


def mypy(cache: Path, *paths: Path) -> str:
    """What mypy has to say about a game that stands alone."""
    command = [*STRICT, str(cache), *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    return done.stdout + done.stderr


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for the tests of this file: the second run takes a second instead of ten."""
    return tmp_path_factory.mktemp("mypy")


def ten_lines() -> str:
    """The first game of the decision about the author's API."""
    page = (REPOSITORY / "docs" / "decisions" / "0001-author-api.md").read_text()
    return page.split("```python\n", 1)[1].split("```", 1)[0]


def test_mypy_knows_every_type_of_the_first_ten_lines(cache, tmp_path):
    """`table.get(key) or self.refuse(…)` is a row, `player.name` is a str."""
    game = tmp_path / "tavern.py"
    told = "        player.tell("
    game.write_text(ten_lines().replace(told, "        reveal_type(mug)\n" + told))
    report = mypy(cache, game)
    assert 'Revealed type is "tavern.Mug"' in report, report
    assert "Success" in report, report


def test_mypy_finds_the_mistakes_of_the_first_ten_lines(cache, tmp_path):
    """A misspelt field, a row of another type, a timer with the wrong arguments, a handler that is none."""
    game = tmp_path / "tavern.py"
    game.write_text(
        ten_lines()
        + """
    def wrong(self, player: Player) -> None:
        self.mugs[player.id].sops = 3
        self.mugs[3] = Mug()
        self.room.after(5, self.drink, "ada")
        player.ask("What?", self.last_call)
"""
    )
    lines = ten_lines().count("\n")
    report = mypy(cache, game)
    found = [n for n in range(lines + 1, lines + 7) if f"tavern.py:{n}: error" in report]
    assert found == [lines + 3, lines + 4, lines + 5, lines + 6], report


def test_mypy_knows_every_type_of_the_mud(cache):
    """The documentation that people copy is strict."""
    report = mypy(cache, REPOSITORY / "examples" / "mud" / "mud")
    assert "Success" in report, report
