"""The migration plan of a reload: which rows are concerned, what stands in the way, what is lost."""

from __future__ import annotations

from typing import Any

from perdure.movement.migrations import Planned, plan, ways_back
from perdure.movement.report import Migration
from perdure.room.tables import Migration as Function
from perdure.room.tables import Row, TableSpec

NAME = "mud.mugs"


class Mug(Row):
    sips: int = 5


class Named(Row):
    sips: int = 5
    owner: str = ""


class Litres(Row):
    litres: float = 0.5


def same(fields: dict[str, Any]) -> dict[str, Any]:
    return fields


def spec(row: type[Row], version: int = 1, **migrations: Function) -> TableSpec:
    steps = {"up": (1, 2), "down": (2, 1)}
    return TableSpec(NAME, row, version, {steps[name]: function for name, function in migrations.items()})


def planned(new: TableSpec, old: TableSpec, **versions: int) -> list[Planned]:
    counts = {int(version[1:]): rows for version, rows in versions.items()}
    return list(plan({NAME: new}, {NAME: old}, lambda _: counts))


def test_only_tables_with_rows_and_another_schema_are_concerned() -> None:
    """Nothing is said about what nothing happens to."""
    assert planned(spec(Mug), spec(Mug), v1=3) == []
    assert planned(spec(Litres), spec(Mug)) == []
    assert list(plan({"new": spec(Mug)}, {}, lambda _: {1: 1})) == []


def test_fields_that_come_with_defaults_convert_nothing() -> None:
    """The rows stay as they are."""
    (one,) = planned(spec(Named), spec(Mug), v1=3)
    assert one == Planned(Migration(NAME, 1, 1, 0, False, "owner comes"), "")


def test_a_raised_version_converts_its_older_rows() -> None:
    """Those that are of the new version already are not counted."""
    (one,) = planned(spec(Named, 2, up=same), spec(Mug), v1=3)
    assert one == Planned(Migration(NAME, 1, 2, 3, False, "owner comes"), "")


def test_a_missing_migration_is_refused_with_what_to_do() -> None:
    """Before anything is swapped."""
    (one,) = planned(spec(Named, 2), spec(Mug), v1=3)
    assert "Add @migrate(Named, 1)" in one.refused


def test_what_no_migration_brings_back_is_destructive() -> None:
    """With a way back it is not: the author says how nothing is lost."""
    (lost,) = planned(spec(Litres, 2, up=same), spec(Mug), v1=3)
    assert lost.migration.destructive
    assert lost.migration.what == "sips goes, litres comes"
    (kept,) = planned(spec(Litres, 2, up=same, down=same), spec(Mug), v1=3)
    assert not kept.migration.destructive


def test_a_field_that_goes_under_one_version_is_destructive_and_one_that_changes_is_refused() -> None:
    """There is no migration between a version and itself."""
    (gone,) = planned(spec(Mug), spec(Named), v1=3)
    assert gone.migration.destructive
    assert not gone.refused

    class Texts(Row):
        sips: str = ""

    (changed,) = planned(spec(Texts), spec(Mug), v1=3)
    assert "Raise `version`" in changed.refused


def test_ways_back_are_looked_for_before_anything_is_tried() -> None:
    """A canary that could not return does not begin."""
    old = spec(Mug)
    assert ways_back({NAME: spec(Litres, 2, up=same)}, {NAME: old}) == [NAME]
    assert ways_back({NAME: spec(Litres, 2, up=same, down=same)}, {NAME: old}) == []
    assert ways_back({NAME: spec(Named)}, {NAME: old}) == []
    assert ways_back({NAME: old, "other": old}, {NAME: old}) == []
