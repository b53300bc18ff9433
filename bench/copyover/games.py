"""The game whose host is replaced: it answers, moves players, and its rooms hold as much as is asked for."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

LARGE = "large"
"""The room that may be larger than the others."""
_GAME = '''"""A game to replace the host under."""

from perdure import Game, Player, Row, Table, command

VALUE = {value}


class Thing(Row):
    """A row of about a kilobyte with its key."""

    name: str
    uses: int = 0
    text: str = ""


class Bench(Game):
    things: Table[Thing, int]

    def start(self) -> None:
        for number in range({large_kib} if self.room.id == "{large}" else {kib}):
            self.things[number] = Thing(f"thing {{number}}", 0, f"{{number:06}} and so on, " * 62)

    def join(self, player: Player) -> None:
        player.tell("in " + self.room.id)

    @command("e TEXT")
    def echo(self, player: Player, text: str) -> None:
        player.tell(text)

    @command("use NUMBER TEXT")
    def use(self, player: Player, number: int, text: str) -> None:
        self.things[number % len(self.things)].uses += 1
        player.tell(text)

    @command("go ROOM")
    def walk(self, player: Player, room: str) -> None:
        player.go(room)
'''
_OTHER_HASH = """
from perdure.movement.move import Arriving
verify, seen = Arriving.verify, set()
def verify_once(self, offer, c, value):
    first = offer.room not in seen
    seen.add(offer.room)
    return verify(self, offer, c, value if first else "0" * 32)
Arriving.verify = verify_once
import sys
from perdure.host.__main__ import main
sys.exit(main())
"""
"""A host whose copies are right when they are compared beforehand, and wrong in the move."""
OTHER_HASH = (sys.executable, "-P", "-c", _OTHER_HASH)


class Project:
    """The files of one project; its methods change what the next host is.

    Args:
        rooms: How many there are, r0 and so on.
        kib: What each of them holds.
        large_kib: What one more holds, the last; 0 for none.
    """

    def __init__(self, folder: Path, rooms: int, kib: int, large_kib: int) -> None:
        self.folder = folder
        self.rooms = [*(f"r{number}" for number in range(rooms)), *([LARGE] if large_kib else [])]
        self._kib, self._large_kib, self._value = kib, large_kib, 0
        (folder / "bench_game").mkdir()
        (folder / "bench_game" / "__init__.py").write_text("")
        self.edit()
        self.configure()

    def edit(self) -> None:
        """Save other code, so that the next program is another one."""
        self._value += 1
        code = _GAME.format(value=self._value, kib=self._kib, large=LARGE, large_kib=self._large_kib)
        (self.folder / "bench_game" / "game.py").write_text(code)

    def configure(self, command: Sequence[str] = ()) -> None:
        """Say what the next host is started with."""
        listed = "\n".join(f'{room} = "bench"' for room in self.rooms)
        host = f"[host]\ncommand = {json.dumps(command)}\n" if command else ""
        (self.folder / "perdure.toml").write_text(
            '[server]\nname = "bench"\ntelnet = "127.0.0.1:0"\nweb = ""\n'
            '[games.bench]\npath = "bench_game"\ndurability = "process"\n'
            f'[rooms]\n{listed}\n[login]\nroom = "r0"\nguests = true\n{host}'
        )


@contextmanager
def game(*, rooms: int = 1, kib: int = 4, large_kib: int = 0) -> Iterator[Project]:
    """A project of this game; the folder ends with the block."""
    folder = Path(tempfile.mkdtemp(prefix="perdure-bench-"))
    try:
        yield Project(folder, rooms, kib, large_kib)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
