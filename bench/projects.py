"""The games that are measured, and projects of them in a temporary folder."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

GAME = '''"""A game to measure: it answers, moves players, holds rows, and wakes if it is told to."""

from perdure import Game, Player, Row, Table, command


class Thing(Row):
    """A row of about a kilobyte with its key."""

    name: str
    uses: int = 0
    text: str = ""


class Bench(Game):
    things: Table[Thing, int]

    def start(self) -> None:
        for number in range({rows}):
            self.things[number] = Thing(f"thing {{number}}", 0, f"{{number:04}} and so on, " * 62)

    def join(self, player: Player) -> None:
        player.tell("in " + self.room.id)

    @command("e TEXT")
    def echo(self, player: Player, text: str) -> None:
        player.tell(text)

    @command("use TEXT")
    def use(self, player: Player, text: str) -> None:
        self.things[0].uses += 1
        player.tell(text)

    @command("go ROOM")
    def walk(self, player: Player, room: str) -> None:
        player.go(room)
'''
WAKE = """
    wake_hz = {wake_hz}

    def wake(self) -> None:
        for number in range({woken}):
            self.things[number].uses += 1
"""


@contextmanager
def project(
    *, rooms: int = 1, rows: int = 1, wake_hz: float = 0, woken: int = 0, durability: str = "process", web: bool = False
) -> Iterator[Path]:
    """A project with one game and `rooms` rooms, r0 and so on, of `rows` KiB each; the folder ends with the block."""
    folder = Path(tempfile.mkdtemp(prefix="perdure-bench-"))
    try:
        (folder / "bench_game").mkdir()
        (folder / "bench_game" / "__init__.py").write_text("")
        code = GAME.format(rows=rows) + (WAKE.format(wake_hz=wake_hz, woken=woken) if wake_hz else "")
        (folder / "bench_game" / "game.py").write_text(code)
        listed = "\n".join(f'r{number} = "bench"' for number in range(rooms))
        (folder / "perdure.toml").write_text(
            f'[server]\nname = "bench"\ntelnet = "127.0.0.1:0"\nweb = "{"127.0.0.1:0" if web else ""}"\n'
            f'[games.bench]\npath = "bench_game"\ndurability = "{durability}"\n'
            f'[rooms]\n{listed}\n[login]\nroom = "r0"\nguests = true\n'
        )
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
