"""A game that does not load names the author's file and line, and says what to do."""

import textwrap

import pytest

from perdure.errors import GameError
from perdure.games.python.load import load_game

HEAD = """\
from typing import Any
from perdure import Event, Game, Module, Player, Row, Table, command, every, migrate, on

class Mug(Row):
    sips: int = 5

class Died(Event):
    name: str
"""


def failing(tmp_path, text: str, head: str = HEAD) -> GameError:
    """The error of loading a game of one file."""
    file = tmp_path / "tavern.py"
    file.write_text(head + textwrap.dedent(text))
    with pytest.raises(GameError) as error:
        load_game(file)
    return error.value


CASES = {
    "no game": ("x = 1", "there is no class Game here", ""),
    "two games": ("class A(Game): pass\nclass B(Game): pass", "one class Game, and here are A", ""),
    "a set in a row": (
        "class R(Row):\n    s: set[int]\nclass A(Game):\n    t: Table[R]  # HERE",
        "field R.s is a set",
        "# HERE",
    ),
    "any in a row": (
        "class R(Row):\n    a: Any\nclass A(Game):\n    t: Table[R]  # HERE",
        "field R.a has no definite type",
        "# HERE",
    ),
    "an unencodable field": (
        "class R(Row):\n    f: object\nclass A(Game):\n    t: Table[R]  # HERE",
        "field R.f",
        "# HERE",
    ),
    "a player in a row": (
        "class R(Row):\n    p: Player\nclass A(Game):\n    t: Table[R]  # HERE",
        "field R.p",
        "# HERE",
    ),
    "a table of nothing": ("class A(Game):\n    t: Table  # HERE", "say which rows", "# HERE"),
    "a table of ints": ("class A(Game):\n    t: Table[int]  # HERE", "holds a class of rows", "# HERE"),
    "a float key": ("class A(Game):\n    t: Table[Mug, float]  # HERE", "cannot be a key", "# HERE"),
    "a table named say": ("class A(Game):\n    say: Table[Mug]  # HERE", "already means something", "# HERE"),
    "a row type that is not there": (
        "class A(Game):\n    t: 'Table[Gone]'  # HERE",
        "does not evaluate: name 'Gone' is not defined",
        "# HERE",
    ),
    "an __init__": ("class A(Game):\n    def __init__(self): ...  # HERE", "start(self)", "# HERE"),
    "an async command": (
        "class A(Game):\n    @command('x')  # HERE\n    async def x(self, player): ...",
        "use self.room.ask",
        "# HERE",
    ),
    "a pattern with an unknown parameter": (
        "class A(Game):\n    @command('give ITEM')  # HERE\n    def give(self, player): ...",
        "names ITEM, and the method has no parameter item",
        "# HERE",
    ),
    "a method with an unnamed parameter": (
        "class A(Game):\n    @command('give')  # HERE\n    def give(self, player, item): ...",
        "does not name ITEM",
        "# HERE",
    ),
    "an optional parameter without a default": (
        "class A(Game):\n    @command('give [ITEM]')  # HERE\n    def give(self, player, item): ...",
        "give the parameter a default",
        "# HERE",
    ),
    "a command without a player": (
        "class A(Game):\n    @command('give')  # HERE\n    def give(self): ...",
        "who typed it comes first",
        "# HERE",
    ),
    "a parameter of another type": (
        "class A(Game):\n    @command('give ITEM')  # HERE\n    def give(self, player, item: Mug): ...",
        "use str, int, float or Player",
        "# HERE",
    ),
    "a role that is none": (
        "class A(Game):\n    @command('x', role='god')  # HERE\n    def x(self, player): ...",
        "there is no role 'god'",
        "# HERE",
    ),
    "an interval of nothing": (
        "class A(Game):\n    @every()  # HERE\n    def x(self): ...",
        "needs an interval",
        "# HERE",
    ),
    "a handler of no event": (
        "class A(Game):\n    @on(Mug)  # HERE\n    def x(self, e): ...",
        "a class of events",
        "# HERE",
    ),
    "a wake without a heartbeat": (
        "class A(Game):\n    def wake(self): ...  # HERE",
        "it would never run",
        "# HERE",
    ),
    "a heartbeat too fast": ("class A(Game):\n    wake_hz = 1000  # HERE", "it can be 0 to 60", "# HERE"),
    "a lifecycle that is none": (
        "class A(Game):\n    lifecycle = 'eternal'  # HERE",
        "resident, resumable or ephemeral",
        "# HERE",
    ),
    "a migration in a class": (
        "class A(Game):\n    @migrate(Mug, 1)  # HERE\n    def x(self): ...",
        "outside of the class",
        "# HERE",
    ),
    "a migration to nowhere": (
        "@migrate(Mug, 1)  # HERE\ndef up(row): return row\nclass A(Game):\n    t: Table[Mug]",
        "Write `version = …`",
        "# HERE",
    ),
    "two modules of one name": (
        "class a(Module): pass\nclass A(Game): pass",
        "have one name, 'a'",
        "",
    ),
    "a dict as state": ("class A(Game):\n    mugs: dict[str, Mug]  # HERE", "this is no table", "# HERE"),
    "a list as state": ("class A(Game):\n    mugs = []  # HERE", "all rooms would share this list", "# HERE"),
    "a command outside": (
        "@command('x')  # HERE\ndef x(self, player): ...\nclass A(Game): pass",
        "outside of a class",
        "# HERE",
    ),
    "a command in no module": (
        "class B:\n    @command('x')  # HERE\n    def x(self, player): ...\nclass A(Game): pass",
        "class B(Module)",
        "# HERE",
    ),
    "a hook without a player": ("class A(Game):\n    def join(self): ...  # HERE", "def join(self, player)", "# HERE"),
    "a timer with arguments": (
        "class A(Game):\n    @every(minutes=1)  # HERE\n    def x(self, player): ...",
        "def x(self)",
        "# HERE",
    ),
    "a handler without an event": (
        "class A(Game):\n    @on(Died)  # HERE\n    def x(self): ...",
        "def x(self, event)",
        "# HERE",
    ),
    "a name of two words": ("class A(Game):\n    stored_as = 'a.b'  # HERE", "write one word", "# HERE"),
    "an exit": ("raise SystemExit(1)  # HERE\nclass A(Game): pass", "SystemExit", "# HERE"),
    "a syntax error": ("class A(Game)  # HERE", "expected ':'", "# HERE"),
    "an error of the body": ("class A(Game): pass\n1 / 0  # HERE", "ZeroDivisionError", "# HERE"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_named_with_its_line(tmp_path, case):
    """The message says what to do, and points at the line."""
    text, message, marker = CASES[case]
    error = failing(tmp_path, text)
    assert message in str(error), str(error)
    if marker:
        lines = (tmp_path / "tavern.py").read_text().splitlines()
        assert error.file == str(tmp_path / "tavern.py")
        assert marker in lines[error.line - 1], f"line {error.line}: {lines[error.line - 1]}"


def test_a_command_bound_twice_names_both(tmp_path):
    """Both methods, each with file and line (FM-47)."""
    (tmp_path / "mud").mkdir()
    module = (
        "from perdure import {0}, command\nclass {1}({0}):\n    @command('see', 'l')\n    def look(self, player): ..."
    )
    (tmp_path / "mud" / "places.py").write_text(module.format("Module", "Places"))
    (tmp_path / "mud" / "game.py").write_text(module.format("Game", "Mud").replace("'see'", "'look'"))
    with pytest.raises(GameError) as error:
        load_game(tmp_path / "mud")
    text = str(error.value)
    assert "the command 'l' is bound twice" in text
    assert f"Places.look ({tmp_path / 'mud' / 'places.py'}:3)" in text
    assert f"Mud.look ({tmp_path / 'mud' / 'game.py'}:3)" in text


def test_two_events_of_one_name_are_refused(tmp_path):
    """Mail knows events by their class's name, so it must mean one."""
    (tmp_path / "mud").mkdir()
    (tmp_path / "mud" / "a.py").write_text("from perdure import Event\nclass Died(Event): pass")
    (tmp_path / "mud" / "b.py").write_text(
        "from perdure import Event, Game\nclass Died(Event): pass\nclass G(Game): pass"
    )
    with pytest.raises(GameError, match=r"two events are called Died: .*a\.py:2 and .*b\.py:2"):
        load_game(tmp_path / "mud")


def test_strings_as_annotations_are_understood(tmp_path):
    """`from __future__ import annotations` changes nothing, names that only mypy sees included."""
    (tmp_path / "tavern.py").write_text(
        "from __future__ import annotations\n"
        "from typing import TYPE_CHECKING\n"
        "from perdure import Game, Player, Row, Table, command\n"
        "if TYPE_CHECKING:\n    from decimal import Decimal\n"
        "class Mug(Row):\n    sips: int = 5\n"
        "class Tavern(Game):\n"
        "    mugs: Table[Mug, int]\n"
        "    @command('pay [COUNT]')\n"
        "    def pay(self, player: Player, count: int | None = None) -> Decimal: ...\n"
    )
    program = load_game(tmp_path / "tavern.py")
    assert "tavern.mugs" in program.tables
    assert program.collected.commands["pay",].pattern.params[0].kind == "int"


def test_constants_of_a_class_are_no_state(tmp_path):
    """What is written in upper case never changes."""
    (tmp_path / "tavern.py").write_text(
        "from typing import ClassVar\nfrom perdure import Game\nclass A(Game):\n"
        "    PRICES: ClassVar[dict[str, int]] = {'ale': 3}\n    motto = 'Drink.'\n"
    )
    assert load_game(tmp_path / "tavern.py").tables
