"""The first files of a new game."""

from __future__ import annotations

import keyword
import sys
from pathlib import Path

from perdure.errors import ConfigError

TEMPLATE = Path(__file__).parent / "templates" / "game"
_NAME, _CLASS = "mygame", "MyGame"
_IMPORTED = {"Game", "Mug", "Perdure", "Player", "Row", "Table"}


def scaffold(folder: Path) -> Path:
    """Make a project of one small game, with tests, in a new folder.

    Args:
        folder: Must not exist yet, or be empty. Its name becomes the game's.

    Returns:
        The folder.

    Raises:
        ConfigError: There is something already, or the name cannot be a module's.
    """
    name = folder.name
    if not name.isidentifier() or name != name.lower() or keyword.iskeyword(name):
        raise ConfigError(
            f"{name!r} cannot be a game's name: it becomes a Python module. Nothing was made. "
            f"Use lower-case letters, digits and _, and begin with a letter."
        )
    if name in sys.stdlib_module_names or name in ("perdure", "tests"):
        raise ConfigError(f"{name!r} is taken, by Python or by Perdure. Nothing was made. Choose another name.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} is there already. Nothing was changed. Choose another name, or remove it.")
    title = "".join(part.capitalize() for part in name.split("_"))
    title += "Game" if title in _IMPORTED else ""
    for path in sorted(TEMPLATE.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            target = folder / path.relative_to(TEMPLATE).as_posix().replace(_NAME, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(path.read_text().replace(_NAME, name).replace(_CLASS, title))
    return folder
