"""Other code for a room: what stays, what is converted, what refuses, and that history knows of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.errors import SchemaError
from perdure.room.machine import Ran, Room
from perdure.room.record import Reloaded, TimerFired, decode_record
from perdure.room.tables import Row, TableSpec
from tests.room.rooms import THINGS, Game, Thing, a_room, again, join, line


class Renamed(Row):
    """The next version of a thing: its number has another name."""

    total: int = 0
    names: list[str] = []  # noqa: RUF012  (a struct copies it for every row)


class Shorter(Row):
    """A thing without names."""

    count: int = 0


class Longer(Row):
    """A thing with one field more."""

    count: int = 0
    names: list[str] = []  # noqa: RUF012  (a struct copies it for every row)
    colour: str = "grey"


def up(fields: dict[str, Any]) -> dict[str, Any]:
    return {"total": fields["count"], "names": fields["names"]}


def down(fields: dict[str, Any]) -> dict[str, Any]:
    return {"count": fields["total"], "names": fields["names"]}


SECOND = TableSpec(THINGS.name, Renamed, 2, {(1, 2): up, (2, 1): down})


def with_tables(*specs: TableSpec, generation: str = "2") -> Game:
    """Code that declares these tables."""
    game = Game(tables={spec.name: spec for spec in specs})
    game.generation = generation
    return game


def a_room_with_things(count: int = 3) -> Room:
    """A room in which so many things are."""

    def fill(_: object, __: object, things: Any) -> None:
        for number in range(count):
            things.setdefault(f"thing {number}", Thing(number, ["a"]))

    room, game = a_room(fill)
    join(room)
    game.act = None
    return room


def fingerprint(room: Room) -> tuple[str, int, bytes, object, dict[str, dict[Any, bytes]]]:
    """Everything that a swap that failed must leave as it was."""
    return room.state_hash(), room.c, room.last_digest, room.program, room.capture().tables


def changed(room: Room, key: str, change: Callable[[Any], None]) -> Ran:
    """A callback that changes one row."""
    game = room.program
    assert isinstance(game, Game)
    game.act = lambda _, __, things: change(things[key])
    ran = line(room, room.seats["g.1.1"].applied + 1)
    game.act = None
    return ran


def test_a_swap_is_a_callback_of_its_own_that_changes_no_row() -> None:
    """It is recorded with the generation; rows, timers, seats and clock go on; nothing is shown to anybody."""
    room = a_room_with_things()
    before, tables, c = room.now_us, room.capture().tables, room.c
    ran = room.swap(with_tables(THINGS), 0)
    assert ran.record is not None
    assert ran.record.cause == Reloaded("2")
    assert (ran.record.rows, ran.record.outputs, ran.record.timers) == ([], [], [])
    assert (room.c, room.now_us > before, room.capture().tables) == (c + 1, True, tables)
    assert decode_record(ran.data) == ran.record


def test_rows_of_an_older_version_are_converted_when_they_are_touched() -> None:
    """Lazy migration: the swap itself touches none, however many there are (FM-46)."""
    room = a_room_with_things()
    ran = room.swap(with_tables(THINGS, generation="same"), 0)
    room.swap(with_tables(SECOND), 0)
    assert ran.record is not None
    assert not ran.record.rows
    assert room.tables[THINGS.name].versions == {1: 3}
    ran = changed(room, "thing 2", lambda row: row.names.append(str(row.total)))
    assert ran.error is None
    assert room.tables[THINGS.name].versions == {1: 2, 2: 1}
    assert room.tables[THINGS.name].peek("thing 2") == Renamed(2, ["a", "2"])


def test_going_back_converts_what_the_newer_code_wrote() -> None:
    """The code that knows the way back is about to leave; the rows that it never touched cost nothing."""
    room = a_room_with_things()
    room.swap(with_tables(SECOND), 0)
    changed(room, "thing 1", lambda row: setattr(row, "total", 99))
    ran = room.swap(with_tables(THINGS, generation="1"), 0)
    assert ran.record is not None
    assert [key for _, key, _ in ran.record.rows] == ["thing 1"]
    assert room.tables[THINGS.name].versions == {1: 3}
    assert room.tables[THINGS.name].peek("thing 1") == Thing(99, ["a"])


def test_going_back_without_a_way_back_is_refused_and_changes_nothing() -> None:
    """The table, the step that is missing and what to do are named (P2)."""
    room = a_room_with_things()
    room.swap(with_tables(TableSpec(THINGS.name, Renamed, 2, {(1, 2): up})), 0)
    changed(room, "thing 1", lambda row: setattr(row, "total", 99))
    before = fingerprint(room)
    with pytest.raises(SchemaError, match=r"test\.things.*no migration 2 -> 1.*to=1"):
        room.swap(with_tables(THINGS), 0)
    assert fingerprint(room) == before
    assert changed(room, "thing 1", lambda row: setattr(row, "total", 100)).error is None


def test_going_back_needs_no_way_where_nothing_was_written() -> None:
    """A version that no row has is no obstacle."""
    room = a_room_with_things()
    room.swap(with_tables(TableSpec(THINGS.name, Renamed, 2, {(1, 2): up})), 0)
    room.swap(with_tables(THINGS, generation="1"), 0)
    assert room.tables[THINGS.name].peek("thing 1") == Thing(1, ["a"])


def test_a_migration_back_that_raises_refuses_the_swap() -> None:
    """Named with its table, row and error; the room goes on with the code that it has (P2)."""

    def broken(_: dict[str, Any]) -> dict[str, Any]:
        raise ZeroDivisionError("as it happens")

    room = a_room_with_things()
    room.swap(with_tables(TableSpec(THINGS.name, Renamed, 2, {(1, 2): up, (2, 1): broken})), 0)
    changed(room, "thing 1", lambda row: setattr(row, "total", 99))
    before = fingerprint(room)
    with pytest.raises(SchemaError, match=r"row 'thing 1'.*ZeroDivisionError: as it happens"):
        room.swap(with_tables(THINGS), 0)
    assert fingerprint(room) == before


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        (Shorter, "it is gone now"),
        (Renamed, "it is gone now"),
    ],
)
def test_fields_may_not_go_under_one_version(row: type[Row], wrong: str) -> None:
    """Nothing changes; with a word that it is meant, only what the new type lacks is lost."""
    room = a_room_with_things()
    before = fingerprint(room)
    with pytest.raises(SchemaError, match=wrong):
        room.swap(with_tables(TableSpec(THINGS.name, row)), 0)
    assert fingerprint(room) == before
    room.swap(with_tables(TableSpec(THINGS.name, row)), 0, may_lose=True)
    assert room.tables[THINGS.name].peek("thing 1") is not None


def test_fields_that_come_have_their_defaults() -> None:
    """An old row under new code (FM-46)."""
    room = a_room_with_things()
    room.swap(with_tables(TableSpec(THINGS.name, Longer)), 0)
    assert room.tables[THINGS.name].peek("thing 2") == Longer(2, ["a"], "grey")


def test_a_table_without_rows_takes_any_type() -> None:
    """A builder who tries out types meets no migrations before there is something to migrate."""
    room = a_room_with_things(0)
    room.swap(with_tables(TableSpec(THINGS.name, Shorter)), 0)
    assert not len(room.tables[THINGS.name])


def test_rows_of_a_removed_module_return_with_it() -> None:
    """Also when a base was stored, and restored, meanwhile (FM-21, FM-47)."""
    room = a_room_with_things()
    room.swap(with_tables(generation="without"), 0)
    assert not room.tables
    assert len(room.cells[THINGS.name].image()) == 3
    room = again(room, with_tables(generation="without"))
    room.swap(with_tables(THINGS), 0)
    assert room.tables[THINGS.name].peek("thing 2") == Thing(2, ["a"])


def next_timer(room: Room) -> str:
    """The timer that is due next."""
    return room.next_due[1] if room.next_due else ""


class Deaf(Game):
    """Code that has no handler of this name."""

    generation = "deaf"

    def __init__(self, without: str) -> None:
        super().__init__()
        self.without = without

    def handles(self, handler: str) -> bool:
        return handler != self.without


def test_timers_whose_handler_is_gone_wait_for_its_return() -> None:
    """They are listed, never due, and fire when the handler is there again."""
    room, game = a_room(lambda c, _, __: [c.set_timer(c.now_us + 5, name, id=name) for name in ("lamp", "bell")])
    join(room)
    game.act = None
    room.swap(Deaf("lamp"), 0)
    assert list(room.orphans) == ["lamp"]
    assert next_timer(room) == "bell"
    room.run(TimerFired("bell"), 0)
    assert next_timer(room) == ""
    assert next_timer(again(room, Deaf("lamp"))) == ""
    room.swap(Game(), 0)
    assert not room.orphans
    assert next_timer(room) == "lamp"


def test_orphaned_timers_are_dropped_when_somebody_says_so() -> None:
    """And that is recorded: no recovery brings them back."""
    room, game = a_room(lambda c, _, __: c.set_timer(5, "lamp", id="lamp"))
    join(room)
    game.act = None
    ran = room.swap(Deaf("lamp"), 0, drop_orphans=True)
    assert ran.record is not None
    assert ran.record.timers == [("lamp", None)]
    assert not room.timers


KINDS = {
    "first": (THINGS,),
    "second": (SECOND,),
    "longer": (TableSpec(THINGS.name, Longer),),
    "without": (),
}


@given(st.lists(st.sampled_from([*KINDS, "touch"]), max_size=12))
def test_history_replays_over_swaps(steps: list[str]) -> None:
    """From any base, over any swaps and changes, the records lead to the same state; no game code runs (P3)."""
    room = a_room_with_things()
    base, at = room.capture(), room.c
    records: list[Ran] = []
    for step in steps:
        if step == "touch":
            if room.tables:
                records.append(changed(room, "thing 1", lambda row: row.names.append("x")))
            continue
        try:
            records.append(room.swap(with_tables(*KINDS[step], generation=step), 0))
        except SchemaError:
            continue
    copy = Room.restore(base, room.id, room.program, c=at, epoch=room.epoch, branch=room.branch)
    for ran in records:
        assert ran.record is not None
        assert ran.error is None
        copy.replay(ran.record, ran.data)
    copy.check()
    assert copy.state_hash() == room.state_hash()
    assert copy.capture().tables == room.capture().tables
