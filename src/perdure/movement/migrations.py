"""What other code means for the rows that are there: the migration plan of a reload, before it happens.

A change of a row's type is *destructive* when fields go away, or change their type, and no migration leads
back: what was in them is nowhere then. That needs somebody's word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from perdure.errors import SchemaError
from perdure.movement.report import Migration
from perdure.room.fitting import check_rows
from perdure.room.tables import TableSpec

Rows = Callable[[str], Mapping[int, int]]
"""Table -> version of its module -> how many rows of it there are, over all rooms."""


class Planned(NamedTuple):
    """What becomes of one table.

    Attributes:
        migration: For the report.
        refused: Why the code cannot be used, with what to do; "" if it can.
    """

    migration: Migration
    refused: str


def plan(new: Mapping[str, TableSpec], old: Mapping[str, TableSpec], rows: Rows) -> Iterator[Planned]:
    """The tables whose rows are concerned by going from `old` to `new`; tables without rows are not."""
    for name, spec in new.items():
        before = old.get(name)
        if before is None or before.schema == spec.schema:
            continue
        versions = {version: count for version, count in rows(name).items() if count}
        if versions:
            yield _planned(spec, before, versions)


def ways_back(new: Mapping[str, TableSpec], old: Mapping[str, TableSpec]) -> list[str]:
    """Tables whose rows, once touched by `new`, could not be read by `old` again."""
    stuck = []
    for name, spec in new.items():
        before = old.get(name)
        if before is None or before.schema == spec.schema:
            continue
        try:
            check_rows(before, [spec.schema], {spec.version: 1}, back=spec, may_lose=True)
        except SchemaError:
            stuck.append(name)
    return stuck


def _planned(spec: TableSpec, before: TableSpec, versions: Mapping[int, int]) -> Planned:
    refused = ""
    try:
        check_rows(spec, [before.schema], versions, back=before, may_lose=True)
    except SchemaError as error:
        refused = str(error)
    lost = [f for f, text in before.fields.items() if spec.fields.get(f) != text]
    destructive = bool(lost) and spec.version >= before.version and not _leads_back(spec, before.version)
    concerned = sum(count for version, count in versions.items() if destructive or version != spec.version)
    added = [f for f in spec.fields if f not in before.fields]
    what = ", ".join([f"{f} {'changes' if f in spec.fields else 'goes'}" for f in lost] + [f"{f} comes" for f in added])
    return Planned(Migration(spec.name, before.version, spec.version, concerned, destructive, what), refused)


def _leads_back(spec: TableSpec, version: int) -> bool:
    edges = [(n, n - 1) for n in range(spec.version, version, -1)]
    return bool(edges) and all(edge in spec.migrations for edge in edges)
