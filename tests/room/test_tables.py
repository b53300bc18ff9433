"""Tables: what a callback changed, what undo restores, what redo books, and how old rows come along."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.errors import RowError, SchemaError
from perdure.room.record import Key
from perdure.room.tables import Cells, Row, Table, TableSpec


class Mug(Row):
    """A mug.

    Attributes:
        owner: Key of who holds it.
        sips: What is left in it.
        notes: What is written on it.
    """

    owner: str = ""
    sips: int = 3
    notes: list[str] = []  # noqa: RUF012  (a struct copies it for every row)


SPEC = TableSpec("talk.mugs", Mug)


def table(**mugs: Mug) -> Table[Mug, str]:
    """A table with these rows, booked."""
    made = Table[Mug, str](SPEC)
    for key, mug in mugs.items():
        made[key] = mug
    book(made)
    return made


def book(made: Table[Mug, str]) -> list[tuple[str, Key, bytes | None]]:
    """End a callback: what it changed, booked."""
    changes = made.changes()
    for _, key, row in changes:
        made.book(key, row)
    made.settle()
    return changes


def rows(made: Table[Mug, str]) -> dict[str, Mug]:
    """What it holds, in order."""
    return dict(made.scan())


def test_a_row_is_changed_in_place() -> None:
    """Natural mutation, lists inside of rows included, is found and booked."""
    mugs = table(a=Mug(), b=Mug())
    mugs["a"].sips -= 1
    mugs["a"].notes.append("mine")
    assert [key for _, key, _ in book(mugs)] == ["a"]
    again = Table[Mug, str](SPEC, mugs.image())
    assert again["a"] == Mug(sips=2, notes=["mine"])


def test_touching_without_changing_changes_nothing() -> None:
    """Reading through the table costs an encoding and no record."""
    mugs = table(a=Mug())
    assert mugs["a"].sips == 3
    assert book(mugs) == []


def test_undo_restores_values_and_the_order_of_keys() -> None:
    """A callback that raised left nothing behind, deletions and re-insertions included (P4)."""
    mugs = table(a=Mug(), b=Mug(), c=Mug())
    before = rows(table(a=Mug(), b=Mug(), c=Mug()))
    del mugs["a"]
    mugs["a"] = Mug(owner="ann")
    mugs["b"].notes.append("lost")
    mugs["d"] = Mug()
    del mugs["c"]
    mugs.undo()
    assert list(mugs) == ["a", "b", "c"]
    assert rows(mugs) == before
    assert book(mugs) == []


def test_a_key_that_is_deleted_and_set_again_keeps_its_place() -> None:
    """So redo needs no notion of order."""
    mugs = table(a=Mug(), b=Mug())
    del mugs["a"]
    mugs["a"] = Mug(sips=1)
    book(mugs)
    assert list(mugs) == ["a", "b"]


def test_a_key_that_was_set_and_deleted_in_one_callback_was_never_there() -> None:
    """Nothing of it is booked."""
    mugs = table()
    mugs["a"] = Mug()
    del mugs["a"]
    assert "a" not in mugs
    assert len(mugs) == 0
    assert book(mugs) == []


def test_the_table_is_a_mapping() -> None:
    """len, in, get, pop, setdefault, clear and KeyError as of a dictionary."""
    mugs = table(a=Mug(), b=Mug(sips=1))
    assert (len(mugs), "a" in mugs, "x" in mugs) == (2, True, False)
    assert mugs.get("x") is None
    assert mugs.get("x", 7) == 7
    assert mugs.pop("b").sips == 1
    assert mugs.pop("b", None) is None
    assert mugs.setdefault("c", Mug(sips=9)).sips == 9
    assert mugs.setdefault("c", Mug()).sips == 9
    for gone in ("b", "x"):
        with pytest.raises(KeyError):
            mugs[gone]
        with pytest.raises(KeyError):
            mugs.pop(gone)
        with pytest.raises(KeyError):
            del mugs[gone]
    mugs.clear()
    assert (len(mugs), dict(mugs.items()), [*mugs.values()]) == (0, {}, [])
    assert [row for _, _, row in book(mugs)] == [None, None]


def test_rows_may_be_deleted_while_going_through_a_table() -> None:
    """What is deleted meanwhile is passed over; the others are all visited once."""
    for through in (Table.items, Table.scan):
        mugs = table(a=Mug(), b=Mug(), c=Mug())
        seen = []
        for key, _ in through(mugs):
            seen.append(key)
            mugs.pop("b", None)
        assert seen == ["a", "c"]
    mugs = table(a=Mug(), b=Mug())
    for _ in mugs.values():
        mugs.pop("b", None)
    assert list(mugs) == ["a"]


def test_peek_and_scan_do_not_touch() -> None:
    """Read-only iteration is not encoded again; what is changed through it is not booked."""
    mugs = table(a=Mug(), b=Mug())
    assert mugs.peek("x") is None
    peeked = mugs.peek("a")
    assert peeked is not None
    peeked.sips = 0
    assert [mug.sips for _, mug in mugs.scan()] == [0, 3]
    assert book(mugs) == []
    with pytest.raises(RowError, match=r"talk\.mugs, row 'a' was changed behind the table's back"):
        mugs.check_untouched()
    assert rows(mugs)["a"].sips == 3
    mugs.check_untouched()


def test_a_row_that_is_false_is_still_the_live_one() -> None:
    """Authors may give rows a truth value."""

    class Flag(Row):
        up: bool = False

        def __bool__(self) -> bool:
            return self.up

    flags = Table[Flag, str](TableSpec("m.flags", Flag))
    flags["a"] = Flag()
    (_, scanned), *_ = flags.scan()
    assert scanned is flags["a"]


def test_what_cannot_be_a_row_or_a_key_is_refused_by_name() -> None:
    """The table, the key and the reason are in the message."""
    mugs = table()
    with pytest.raises(RowError, match=r"talk\.mugs holds Mug rows, not dict"):
        mugs["a"] = {}  # type: ignore[assignment]
    for key in (1.5, None, True, ("a", 2.0)):
        with pytest.raises(RowError, match=r"talk\.mugs.*cannot be a key"):
            mugs[key] = Mug()  # type: ignore[index]
    mugs["a"] = Mug(sips=1 << 70)
    with pytest.raises(RowError, match=r"talk\.mugs, row 'a'"):
        mugs.changes()
    mugs["a"] = Mug(sips="three")  # type: ignore[arg-type]
    with pytest.raises(RowError, match=r"talk\.mugs, row 'a'"):
        mugs.changes()


def test_keys_may_be_numbers_and_tuples() -> None:
    """Keys survive as they were, whatever plain type they have."""
    places = Table[Mug, tuple[int, int]](SPEC)
    places[1, 2] = Mug(sips=9)
    assert [key for _, key, _ in places.changes()] == [(1, 2)]


# --- redo ---

KEYS = st.sampled_from(["a", "b", "c", "d"])
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), KEYS, st.integers(0, 9)),
        st.tuples(st.just("add"), KEYS, st.integers(0, 9)),
        st.tuples(st.just("delete"), KEYS, st.just(0)),
        st.tuples(st.just("peek"), KEYS, st.just(0)),
        st.tuples(st.sampled_from(["end", "undo"]), st.just(""), st.just(0)),
    ),
    max_size=40,
)


def act(mugs: Table[Mug, str], plain: dict[str, tuple[int, list[str]]], verb: str, key: str, value: int) -> None:
    """The same on the table and on a dictionary."""
    match verb:
        case "set":
            mugs[key] = Mug(sips=value)
            plain[key] = (value, [])
        case "add" if key in plain:
            mugs[key].sips += value
            mugs[key].notes.append(str(value))
            plain[key] = (plain[key][0] + value, [*plain[key][1], str(value)])
        case "delete" if key in plain:
            del mugs[key]
            del plain[key]
        case "peek":
            peeked = mugs.peek(key)
            assert (peeked and (peeked.sips, peeked.notes)) == plain.get(key)


@given(OPERATIONS)
@settings(max_examples=300)
def test_redo_equals_live_and_undo_equals_never(operations: list[tuple[str, str, int]]) -> None:
    """A table fed with the changes has the rows, their order and the hash of the one that made them (FM-27)."""
    mugs, copy = table(), Table[Mug, str](SPEC)
    plain: dict[str, tuple[int, list[str]]] = {}
    kept: dict[str, tuple[int, list[str]]] = {}
    for verb, key, value in [*operations, ("end", "", 0)]:
        if verb == "end":
            for _, changed, row in book(mugs):
                copy.redo(changed, row)
            kept = dict(plain)
        elif verb == "undo":
            mugs.undo()
            plain = dict(kept)
        else:
            act(mugs, plain, verb, key, value)
        assert len(mugs) == len(plain)
        assert set(mugs) == set(plain)
    assert {key: (mug.sips, mug.notes) for key, mug in mugs.scan()} == plain
    assert list(copy.image().items()) == list(mugs.image().items())
    assert copy.hash() == mugs.hash() == Cells(SPEC.name, mugs.image()).hash()


def test_the_hash_does_not_depend_on_the_order_or_the_way() -> None:
    """Only rows count: incremental and at once, in any order (P2)."""
    keys = [str(number) for number in range(50)]
    one, other = table(), table()
    for key in keys:
        one[key] = Mug(owner=key)
    book(one)
    one.hash()
    random.Random(1).shuffle(keys)
    for key in keys:
        other[key] = Mug()
        book(other)
        other.hash()
        other[key].owner = key
        book(other)
    assert one.hash() == other.hash() != table().hash()


def test_a_row_in_another_table_hashes_otherwise() -> None:
    """Rows swapped between tables are noticed."""
    one = Cells("a", {"k": b"row"})
    assert len({one.hash(), Cells("b", {"k": b"row"}).hash(), Cells("a", {"l": b"row"}).hash()}) == 3


# --- schemas and migrations ---


class MugV2(Row):
    """Drops are counted, not sips."""

    owner: str = ""
    drops: int = 0


def to_drops(mug: dict[str, object]) -> dict[str, object]:
    sips = mug.pop("sips", 3)
    mug.pop("notes", None)
    assert isinstance(sips, int)
    return {**mug, "drops": sips * 10}


def to_sips(mug: dict[str, object]) -> dict[str, object]:
    drops = mug.pop("drops", 0)
    assert isinstance(drops, int)
    return {**mug, "sips": drops // 10}


UP = TableSpec("talk.mugs", MugV2, 2, {(1, 2): to_drops})
DOWN = TableSpec("talk.mugs", Mug, 1, {(2, 1): to_sips})


def test_rows_migrate_when_touched_and_not_before() -> None:
    """A pause does not grow with the state; untouched rows stay the bytes they were (FM-21)."""
    old = table(a=Mug(sips=2), b=Mug(sips=1))
    UP.check(SPEC.schema)
    new = Table[MugV2, str](UP, old.image())
    assert new["a"].drops == 20
    changes = new.changes()
    assert [key for _, key, _ in changes] == ["a"]
    for _, key, row in changes:
        new.book(key, row)
    new.settle()
    assert new.image()["b"] == old.image()["b"]
    assert new.image()["a"][:2] == b"\x02\x00"


def test_a_peeked_old_row_is_not_rewritten() -> None:
    """Looking at everything does not migrate everything."""
    old = table(a=Mug(sips=2))
    new = Table[MugV2, str](UP, old.image())
    assert [mug.drops for _, mug in new.scan()] == [20]
    assert new.changes() == []
    new.check_untouched()


def test_rows_migrate_back() -> None:
    """The author gave the way back, so an older program reads newer rows (FM-21)."""
    new = Table[MugV2, str](UP)
    new["a"] = MugV2(drops=25)
    for _, key, row in new.changes():
        new.book(key, row)
    DOWN.check(UP.schema)
    assert Table[Mug, str](DOWN, new.image())["a"].sips == 2


def test_several_versions_are_crossed_one_by_one() -> None:
    """Skipping a version works, in both directions."""

    def step(row: dict[str, object]) -> dict[str, object]:
        notes = row.setdefault("notes", [])
        assert isinstance(notes, list)
        return {**row, "notes": [*notes, "step"]}

    steps = dict.fromkeys(((1, 2), (2, 3), (3, 2), (2, 1)), step)
    first, third = TableSpec("talk.mugs", Mug, 1, steps), TableSpec("talk.mugs", Mug, 3, steps)
    up = Table[Mug, str](third, table(a=Mug()).image())
    assert up["a"].notes == ["step", "step"]
    book(up)
    assert Table[Mug, str](first, up.image())["a"].notes == ["step"] * 4


def test_a_missing_migration_is_refused_by_name() -> None:
    """Table, both versions and what to add are named; before anything runs, and at a touch."""
    spec = TableSpec("talk.mugs", MugV2, 3, {(1, 2): to_drops})
    with pytest.raises(
        SchemaError, match=r"talk\.mugs.*version 1.*version 3.*no migration 2 -> 3.*@migrate\(MugV2, 2\)"
    ):
        spec.check(SPEC.schema)
    with pytest.raises(SchemaError, match="to=1"):
        TableSpec("talk.mugs", Mug, 1).check(UP.schema)
    with pytest.raises(
        SchemaError, match=r"no migration 1 -> 2, 2 -> 3\..*Add @migrate\(Mug, 1\), @migrate\(Mug, 2\) or"
    ):
        TableSpec("talk.mugs", Mug, 3).check(SPEC.schema)
    with pytest.raises(SchemaError, match="no migration"):
        Table[MugV2, str](spec, table(a=Mug()).image())["a"]


def test_a_migration_with_a_wrong_result_leaves_the_row() -> None:
    """The stored bytes stay; the message names the table and both versions."""
    spec = TableSpec("talk.mugs", MugV2, 2, {(1, 2): lambda mug: {**mug, "drops": "many"}})
    mugs = Table[MugV2, str](spec, table(a=Mug()).image())
    with pytest.raises(SchemaError, match=r"talk\.mugs.*from version 1 to 2.*untouched"):
        mugs["a"]
    mugs.undo()
    assert mugs.image() == table(a=Mug()).image()


def test_fields_may_be_added_with_a_default_under_one_version() -> None:
    """The only change that needs no version; old rows read with the default."""

    class Bigger(Row):
        owner: str = ""
        sips: int = 3
        notes: list[str] = []  # noqa: RUF012
        colour: str = "blue"

    spec = TableSpec("talk.mugs", Bigger)
    spec.check(SPEC.schema)
    assert Table[Bigger, str](spec, table(a=Mug(sips=1)).image())["a"] == Bigger(sips=1, colour="blue")


def test_other_changes_under_one_version_are_refused_by_field() -> None:
    """A field gone, retyped or added without a default (FM-21)."""

    class Gone(Row):
        owner: str = ""
        sips: int = 3

    class Retyped(Row):
        owner: str = ""
        sips: float = 3
        notes: list[str] = []  # noqa: RUF012

    class Required(Row):
        size: int
        owner: str = ""
        sips: int = 3
        notes: list[str] = []  # noqa: RUF012

    for row, what in (
        (Gone, "'notes'.*gone now"),
        (Retyped, "'sips'.*stored as int.*float now"),
        (Required, "'size'.*new"),
    ):
        with pytest.raises(SchemaError, match=what):
            TableSpec("talk.mugs", row).check(SPEC.schema)
