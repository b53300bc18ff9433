"""The game that is edited: some twenty modules of a hundred lines, rows that may be many, a heartbeat if asked for."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PARTS = 18
"""Modules beside `game`, `base`, `leaf` and `store`; with them it is the size of a small world."""
HELPERS = 22
ROW_BYTES = 100

_HELPER = '''
def helper_{number}(words: list[str], count: int = {number}) -> str:
    """Text, as games make it."""
    chosen = [word.title() for word in words if len(word) > count]
    return f"{{len(chosen)}} of {{len(words)}}: " + ", ".join(sorted(chosen))
'''
_BASE = '''"""What every other module imports."""

VALUE = {value}
'''
_LEAF = '''"""A module that nobody imports."""

from perdure import Module, Player, command

from . import base

VALUE = {value}


class Leaf(Module):
    @command("leaf TEXT")
    def tell(self, player: Player, text: str) -> None:
        player.tell(f"v={{VALUE}}; {{text}}")

    @command("census")
    def census(self, player: Player) -> None:
        """How many classes of this name there are in the process."""
        import gc

        alive = sum(isinstance(thing, type) and thing.__name__ == "Leaf" for thing in gc.get_objects())
        player.tell(f"alive={{alive}};")
'''
_PART = '''"""One of many."""

from perdure import Module, Player, Row, Table, command

from . import base
from .base import helper_1


class Good(Row):
    name: str
    price: int = {number}
    tags: list[str] = []


class Part{number}(Module):
    goods: Table[Good]

    @command("part{number} TEXT", help="Say what the base is.")
    def tell(self, player: Player, text: str) -> None:
        player.tell(f"v={{base.VALUE}}; {{text}}")

    @command("buy{number} NAME [COUNT]", "take{number}")
    def buy(self, player: Player, name: str, count: int = 1) -> None:
        good = self.goods.get(name) or self.refuse("There is none.")
        good.price += count
        player.tell(helper_1([name]))
'''
_STORE = '''"""Rows: as many as asked for, of a type that changes with every version."""

from typing import Any

from perdure import Module, Player, Row, Table, command, migrate

from . import base

VALUE = {value}


class Thing(Row):
    name: str
    text: str = ""
    uses_{version}: int = 0


def renamed(old: str, new: str) -> Any:
    def convert(row: dict[str, Any]) -> dict[str, Any]:
        return {{new if name == old else name: value for name, value in row.items()}}

    return convert


for _n in range(1, {version}):
    globals()[f"forth_{{_n}}"] = migrate(Thing, _n)(renamed(f"uses_{{_n}}", f"uses_{{_n + 1}}"))
    globals()[f"back_{{_n}}"] = migrate(Thing, _n + 1, to=_n)(renamed(f"uses_{{_n + 1}}", f"uses_{{_n}}"))


class Store(Module):
    version = {version}
    things: Table[Thing, int]

    @command("fill FIRST COUNT TEXT")
    def fill(self, player: Player, first: int, count: int, text: str) -> None:
        for number in range(first, first + count):
            self.things[number] = Thing(f"thing {{number}}", f"the {{number:07}}th market of the town {padding}")
        player.tell(text)

    @command("look FIRST COUNT TEXT")
    def look(self, player: Player, first: int, count: int, text: str) -> None:
        for number in range(first, first + count):
            self.things.peek(number)
        player.tell(text)

    @command("use NUMBER TEXT")
    def use(self, player: Player, number: int, text: str) -> None:
        self.things[number].uses_{version} += 1
        player.tell(f"v={{VALUE}}; {{text}}")
'''
_GAME = '''"""The room."""

from perdure import Game, Player, Row, Table, command

from . import base


class Thing(Row):
    uses: int = 0


class Bench(Game):
    things: Table[Thing, int]

    def start(self) -> None:
        for number in range(4):
            self.things[number] = Thing()

    def join(self, player: Player) -> None:
        player.tell("in " + self.room.id)

    @command("e TEXT")
    def echo(self, player: Player, text: str) -> None:
        player.tell(text)
'''
_WAKE = """
    wake_hz = {wake_hz}

    def wake(self) -> None:
        for number in range(3):
            self.things[number].uses += 1
        self.say(f"={{self.things[0].uses}};")
"""


class Game:
    """The files of one project; its methods save new versions of them, and return what was saved.

    A file is written in place and closed, as most editors do it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.code = folder, folder / "bench_game"
        self._value = 0
        self._version = 1

    def save_leaf(self) -> str:
        """A new value in the module that nobody imports."""
        return self._save("leaf.py", _LEAF)

    def save_base(self) -> str:
        """A new value in the module that all others import."""
        return self._save("base.py", _BASE)

    def save_store(self, *, new_type: bool) -> str:
        """A new value in the module that has the rows, and if asked for another row type with its migrations."""
        self._version += new_type
        return self._save("store.py", _STORE)

    def save_broken(self, name: str) -> str:
        """A syntax error at the end of a module."""
        self._value += 1
        source = (self.code / name).read_text().partition("\nbroken")[0]
        (self.code / name).write_text(f"{source}\nbroken {self._value}\n")
        return str(self._value)

    def _save(self, name: str, template: str) -> str:
        self._value += 1
        (self.code / name).write_text(_source(template, value=self._value, version=self._version))
        return str(self._value)


def helpers() -> str:
    """Functions that make a module a hundred lines long."""
    return "\n" + "\n".join(_HELPER.format(number=number) for number in range(HELPERS))


def _source(template: str, **values: int) -> str:
    return template.format(padding="and more of it " * 2, **values) + helpers()


@contextmanager
def game(*, rooms: int = 1, parts: int = PARTS, watch: bool = False, wake_hz: float = 0) -> Iterator[Game]:
    """A project of this game with the rooms r0 and so on; the folder ends with the block."""
    folder = Path(tempfile.mkdtemp(prefix="perdure-bench-"))
    try:
        made = Game(folder)
        made.code.mkdir()
        (made.code / "__init__.py").write_text("")
        (made.code / "game.py").write_text(_GAME + (_WAKE.format(wake_hz=wake_hz) if wake_hz else ""))
        for number in range(parts):
            (made.code / f"part_{number}.py").write_text(_source(_PART, number=number))
        made.save_base()
        made.save_leaf()
        made.save_store(new_type=False)
        listed = "\n".join(f'r{number} = "bench"' for number in range(rooms))
        (folder / "perdure.toml").write_text(
            '[server]\nname = "bench"\ntelnet = "127.0.0.1:0"\nweb = ""\n'
            f'[games.bench]\npath = "bench_game"\ndurability = "process"\nwatch = {str(watch).lower()}\n'
            f'[rooms]\n{listed}\n[login]\nroom = "r0"\nguests = true\n'
        )
        yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)
