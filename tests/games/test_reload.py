"""What a reload means for a game in a room: new modules, timers, questions, and disabled handlers."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure import Game, Player, Row, Table, command, every
from perdure.errors import SchemaError
from perdure.games.python.api import Module
from perdure.games.python.health import FAULTS_MAX, Health
from perdure.games.python.load import program_of
from perdure.games.python.own import BEGUN, COMMANDS
from perdure.testing import Perdure, RoomInTest


class Note(Row):
    n: int = 0


class Inn(Game):
    stored_as = "inn"
    notes: Table[Note]

    def start(self) -> None:
        self.notes.setdefault("inn", Note()).n += 1

    def input(self, player: Player, line: str) -> bool | None:
        self.say(f"({line})")
        return None

    @command("fuse")
    def fuse(self, player: Player) -> None:
        self.room.after(5, self.bang)

    def bang(self) -> None:
        self.say("bang")

    @command("quiz")
    def quiz(self, player: Player) -> None:
        player.ask("Who?", self.told)

    def told(self, player: Player, line: str) -> None:
        player.tell(f"you are {line}")

    @command("over")
    def over(self, player: Player) -> None:
        self.room.match_over()

    @command("over but broken")
    def over_but_broken(self, player: Player) -> None:
        self.room.match_over()
        self.refuse("No.")

    @command("drop")
    def drop(self, player: Player) -> None:
        raise ValueError("dropped")


class InnWithoutBang(Game):
    stored_as = "inn"
    notes: Table[Note]

    def start(self) -> None:
        self.notes.setdefault("inn", Note()).n += 1


class InnWithClock(InnWithoutBang):
    def start(self) -> None:
        self.notes.setdefault("clock", Note()).n += 1

    @every(seconds=10)
    def strike(self) -> None:
        self.say("dong")


class InnThatBegins(Game):
    stored_as = "grown"
    notes: Table[Note]

    def start(self) -> None:
        self.say("begun")
        self.notes.setdefault("grown", Note()).n += 1


@pytest.fixture
def room(perdure: Perdure) -> RoomInTest:
    return perdure.room(Inn)


# --- what the new code has ---


def test_a_timer_whose_handler_is_gone_waits_for_its_return(room: RoomInTest) -> None:
    """It fires when the code is back, and does not fault the code that lacks it (FM-47)."""
    ada = room.join("Ada")
    ada.types("fuse")
    assert room.machine.handler.handles("inn.bang")
    room.reload(InnWithoutBang)
    assert not room.machine.handler.handles("inn.bang")
    room.advance(60)
    assert [timer.handler for timer in room.machine.orphans.values()] == ["inn.bang"]
    room.reload(Inn)
    room.advance(1)
    assert ada.lines[-1] == "bang"


def test_only_methods_of_modules_are_handlers(room: RoomInTest) -> None:
    """Not a table, not a module alone, not what is nowhere; the answer to @reload always has one."""
    handles = room.machine.handler.handles
    for handler in ("inn.notes", "inn", "inn.", "", ".", "nowhere.bang", "nowhere.__str__", "inn.nothing"):
        assert not handles(handler), handler
    assert handles("inn.bang")
    assert all(handles(command.handler) for command in COMMANDS.values())


def test_a_new_timer_of_every_is_set_by_the_reload(room: RoomInTest) -> None:
    """Also in a room where nothing happens (FM-88); when the code goes, so does the timer."""
    ada = room.join("Ada")
    room.reload(InnWithClock)
    room.advance(21)
    assert ada.lines.count("dong") == 2
    room.reload(InnWithoutBang)
    assert not room.machine.timers
    room.advance(21)
    assert ada.lines.count("dong") == 2


def test_start_is_called_once_in_a_rooms_life(room: RoomInTest) -> None:
    """Neither a reload nor a crash calls it again; a module that is new to the room has its own."""
    for _ in range(2):
        room.reload(InnWithClock)
        room.crash()
        room.reload(Inn)
    assert {key: row.n for key, row in room["inn"].notes.scan()} == {"inn": 1}


def test_a_module_that_a_reload_brings_begins(room: RoomInTest) -> None:
    """Its `start` runs with the players there, before anything else of it."""
    ada = room.join("Ada")
    room.reload(InnThatBegins)
    assert ada.lines == ["begun"]
    room.restart()
    room.reload(InnThatBegins)
    assert room["grown"].notes.peek("grown").n == 1


def test_a_start_that_raises_is_wanted_again(perdure: Perdure) -> None:
    """It was undone as a whole, so nothing of it happened; the next reload tries again."""

    class Broken(InnThatBegins):
        def start(self) -> None:
            self.notes["half"] = Note()
            raise ValueError("broken")

    room = perdure.room(Inn, keep_faults=True)
    room.reload(Broken)
    assert len(room["grown"].notes) == 0
    assert room.machine.handler.wants_start()
    room.reload(InnThatBegins)
    assert not room.machine.handler.wants_start()
    assert room["grown"].notes.peek("grown").n == 1


def test_a_room_of_an_earlier_version_begins_nothing_again(room: RoomInTest) -> None:
    """Where no list of what has begun was kept, all that is there counts as begun."""
    table = room.machine.tables[BEGUN]
    for key in list(table):
        table.book(key, None)
    room.machine.handler = room.program.bind(room.id, room.machine.tables)
    assert not room.machine.handler.wants_start()
    room.join("Ada")
    assert sorted(table) == ["", "inn"]
    assert room["inn"].notes.peek("inn").n == 1


# --- rows ---

SIPS = """
from perdure import Game, Row, Table, command

class Mug(Row):
    sips: int = 5

class Tavern(Game):
    mugs: Table[Mug]

    @command("drink")
    def drink(self, player):
        self.mugs.setdefault(player.id, Mug()).sips -= 1
        player.tell(f"{self.mugs[player.id].sips} sips left.")
"""
MILLILITRES = """
from perdure import Game, Row, Table, command, migrate

class Mug(Row):
    ml: int = 500

@migrate(Mug, 1)
def to_ml(row):
    return {"ml": row["sips"] * 100}

class Tavern(Game):
    version = 2
    mugs: Table[Mug]

    @command("drink")
    def drink(self, player):
        self.mugs[player.id].ml -= 100
        player.tell(f"{self.mugs[player.id].ml} ml left.")
"""


def test_a_test_tries_a_migration_with_rows_of_the_old_code(perdure: Perdure, tmp_path: Path) -> None:
    """They go on under the new code, also through a crash; what cannot go back is refused, and nothing changed."""
    old, new = tmp_path / "old" / "tavern.py", tmp_path / "tavern.py"
    old.parent.mkdir()
    old.write_text(SIPS)
    new.write_text(MILLILITRES)
    room = perdure.room(old)
    ada = room.join("Ada")
    ada.types("drink")
    room.reload(new)
    ada.types("drink")
    room.crash()
    ada.types("drink")
    with pytest.raises(SchemaError, match="no migration 2 -> 1"):
        room.reload(old)
    ada.types("drink")
    assert ada.lines == ["4 sips left.", "300 ml left.", "200 ml left.", "100 ml left."]


# --- match_over ---


def test_a_game_says_that_its_match_is_over(room: RoomInTest) -> None:
    """In a callback that is kept; one that is undone has said nothing."""
    ada = room.join("Ada")
    assert room.match_over == 0
    ada.types("over")
    assert room.match_over == 1
    ada.types("over but broken", "fuse")
    assert room.match_over == 1


# --- health ---


class Well(Module):
    @command("draw")
    def draw(self, player: Player) -> None:
        raise ValueError("dry")


class Town(Game):
    pass


def test_what_is_disabled_stays_so_until_its_code_changes(perdure: Perdure) -> None:
    """A reload of something else is no pardon; a reload of it is."""

    class Mended(Inn):
        stored_as = "inn"

    room = perdure.room(Inn, keep_faults=True)
    ada = room.join("Ada")
    ada.types(*["drop"] * FAULTS_MAX)
    room.reload(Inn)
    ada.types("drop")
    assert ada.sees("That is disabled")
    assert len(room.faults) == FAULTS_MAX
    room.reload(Mended)
    ada.types("drop")
    assert len(room.faults) == FAULTS_MAX + 1
    assert room.program.health.faults["inn.drop"] == 1


@given(st.lists(st.tuples(st.sampled_from(["a.x", "a.y", "b.x", "ab.x"]), st.integers(0, 10**9)), max_size=40))
def test_health_is_carried_as_if_nothing_had_happened(faults: list[tuple[str, int]]) -> None:
    """Of the modules that are kept everything, of the others nothing; and the copy has a life of its own."""
    health = Health()
    faults.sort(key=lambda fault: fault[1])
    for handler, at_us in faults:
        health.book(handler, at_us)
    carried = health.carried({"a"})
    only = Health()
    for handler, at_us in faults:
        if handler.startswith("a."):
            only.book(handler, at_us)
    assert (carried.faults, carried.disabled) == (only.faults, only.disabled)
    before = health.faults["a.x"]
    assert carried.book("a.x", 10**9) == only.book("a.x", 10**9)
    assert health.faults["a.x"] == before


def test_health_goes_by_the_class_not_by_its_name() -> None:
    """An edited module has another class of the same name, and begins well."""

    class Town(Game):
        pass

    old, same, edited = program_of(globals()["Town"]), program_of(globals()["Town"]), program_of(Town)
    old.health.book("town.x", 1)
    same.take_health(old)
    edited.take_health(old)
    assert same.health.faults == {"town.x": 1}
    assert not edited.health.faults
