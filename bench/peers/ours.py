"""The same small game under Perdure."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.peers.client import Door
from bench.processes import Server, server

DOOR = Door("Name:", "guest", "in r0")
_GAME = '''"""Two commands: one answers, one changes a stored value first."""

from perdure import Game, Player, Row, Table, command

VALUE = {value}


class Thing(Row):
    uses: int = 0


class Bench(Game):
    things: Table[Thing]

    def join(self, player: Player) -> None:
        self.things[player.id] = Thing()
        player.tell("in " + self.room.id)

    @command("e NUMBER")
    def echo(self, player: Player, number: int) -> None:
        player.tell(f"={{number}};")

    @command("use NUMBER")
    def use(self, player: Player, number: int) -> None:
        self.things[player.id].uses += 1
        player.tell(f"={{number}};")
'''


class Project:
    """The files of the project."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._value = folder, 0
        (folder / "bench_game").mkdir()
        (folder / "bench_game" / "__init__.py").write_text("")
        (folder / "perdure.toml").write_text(
            '[server]\nname = "bench"\ntelnet = "127.0.0.1:0"\nweb = "127.0.0.1:0"\n'
            '[games.bench]\npath = "bench_game"\n[rooms]\nr0 = "bench"\n[login]\nroom = "r0"\nguests = true\n'
        )
        self.edit()

    def edit(self) -> None:
        """Save other code."""
        self._value += 1
        (self.folder / "bench_game" / "game.py").write_text(_GAME.format(value=self._value))


@contextlib.contextmanager
def serving() -> Iterator[tuple[Server, Project]]:
    """A server of this game with all defaults, web page included; it is gone when the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="perdure-bench-"))
    try:
        project = Project(folder)
        with server(folder) as running:
            yield running, project
    finally:
        shutil.rmtree(folder, ignore_errors=True)
