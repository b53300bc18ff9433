"""`perdure new NAME` makes a game that runs and passes its own tests."""

import subprocess
import sys

import pytest

from perdure.config import load
from perdure.errors import ConfigError
from perdure.games.python.load import load_game
from perdure.games.python.scaffold import scaffold


@pytest.mark.parametrize("name", ["inn", "game", "my_first_game"])
def test_a_new_game_loads_and_its_configuration_fits(tmp_path, name):
    """Whatever it is called, its class gets in nobody's way."""
    folder = scaffold(tmp_path / name)
    config = load(folder)
    assert load_game(config.game_path(name), name).game == name
    assert config.login.room in config.rooms


def test_a_new_game_passes_its_own_tests(tmp_path):
    """In the author's pytest, from the folder above or from its own."""
    folder = scaffold(tmp_path / "inn")
    for where, args in ((tmp_path, ["inn"]), (folder, [])):
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *args]
        done = subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "4 passed" in done.stdout


def test_the_tests_of_a_new_game_call_seconds_what_they_are(tmp_path):
    """`advance` takes seconds: the example that authors copy gives no number of them another unit's name."""
    text = (scaffold(tmp_path / "inn") / "tests" / "test_inn.py").read_text()
    assert "room.advance(25 * 60)  # seconds" in text
    assert "minutes :=" not in text


def test_who_reads_of_pytest_reads_how_to_get_it(tmp_path):
    """It comes with no game: every file that names the command says where it is from."""
    texts = [path.read_text() for path in scaffold(tmp_path / "inn").rglob("*") if path.is_file()]
    naming = [text for text in texts if "python -m pytest" in text]
    assert naming
    assert all("pip install pytest" in text for text in naming)


@pytest.mark.parametrize("name", ["random", "2nd", "Inn", "my-inn", "class", "perdure", "tests"])
def test_a_name_that_cannot_be_a_module_is_refused(tmp_path, name):
    """And nothing is made."""
    with pytest.raises(ConfigError, match="Nothing was made"):
        scaffold(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_what_is_there_already_is_left_alone(tmp_path):
    """A folder with something in it is somebody's work."""
    (tmp_path / "inn").mkdir()
    (tmp_path / "inn" / "notes").write_text("mine")
    with pytest.raises(ConfigError, match="there already"):
        scaffold(tmp_path / "inn")
    assert [path.name for path in (tmp_path / "inn").iterdir()] == ["notes"]
