"""Fitting other code to a room's rows: what it costs, what stands in the way, and the tables as it sees them.

Rows of an older version stay as they are and are migrated when they are touched, so nothing here grows with
the state. Only rows of a *newer* version than the code (somebody goes back) are converted now: the code that
knows the way back is about to leave. There are few of them: those that were touched meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from perdure.errors import SchemaError
from perdure.room.tables import Cells, Change, Migration, Table, TableSpec
from perdure.snapshot.body import TableSchema

Specs = Mapping[str, TableSpec]
Schemas = Sequence[TableSchema]


class Fitted(NamedTuple):
    """A room's tables for other code.

    Attributes:
        tables: Those that the code declares.
        cells: These, and what is kept of tables that it does not declare.
        rows: What had to be converted back, to be booked with the swap.
    """

    tables: dict[str, Table[Any, Any]]
    cells: dict[str, Cells]
    rows: list[Change]


def fit(
    new: Specs, old: Specs, cells: Mapping[str, Cells], schemas: Mapping[str, Schemas], *, may_lose: bool
) -> Fitted:
    """The tables of a room for the specs `new`. The room itself is not changed.

    Args:
        new, old: The tables that the next code declares, and those that the present one does.
        cells: All tables of the room.
        schemas: See `check_rows`.
        may_lose: See `TableSpec.check`.

    Raises:
        SchemaError: Rows that are there could not be read; the table and what to do are named.
    """
    tables: dict[str, Table[Any, Any]] = {}
    rows: list[Change] = []
    for name, spec in new.items():
        kept = cells.get(name)
        tables[name] = Table(spec)
        if kept is None:
            continue
        check_rows(spec, schemas.get(name, ()), kept.versions, back=old.get(name), may_lose=may_lose)
        rows += _converted_back(spec, old.get(name), kept)
        tables[name].take_over(kept)
    others = {name: _plain(name, kept) for name, kept in cells.items() if name not in tables}
    return Fitted(tables, {**tables, **others}, rows)


def check_rows(
    spec: TableSpec,
    stored: Schemas,
    versions: Mapping[int, int],
    *,
    back: TableSpec | None = None,
    may_lose: bool = False,
) -> None:
    """Make sure that rows of these versions can be read; a table without rows fits whatever was in it.

    Args:
        stored: Every schema under which rows of the table may have been written, the latest last.
        back: The present code's spec, which may know ways back from its version.

    Raises:
        SchemaError: They cannot.
    """
    for version in sorted(versions):  # what is missing for the oldest rows is missing for the others, too
        if version > spec.version and back is not None:
            _way_back(spec, back, version)
        elif version != spec.version:
            spec.path(version)
        else:
            same = [schema for schema in stored if schema.version == version]
            for schema in same:  # what earlier ones had, and the latest has not, was lost before
                spec.check(schema, may_lose=may_lose or schema is not same[-1])


def _way_back(spec: TableSpec, back: TableSpec, version: int) -> list[Migration]:
    steps = {**back.migrations, **spec.migrations}
    edges = [(n, n - 1) for n in range(version, spec.version, -1)]
    for edge in edges:
        if edge not in steps:
            raise SchemaError(
                f"table {spec.name}: rows were written by version {version}, this code is version {spec.version}, and "
                f"there is no migration {edge[0]} -> {edge[1]}. The rows are untouched. Add @migrate("
                f"{back.row.__name__}, {edge[0]}, to={edge[1]}) to the code that wrote them, and reload that first."
            )
    return [steps[edge] for edge in edges]


def _converted_back(spec: TableSpec, back: TableSpec | None, cells: Cells) -> Iterator[Change]:
    for version in [version for version in cells.versions if back is not None and version > spec.version]:
        assert back is not None
        steps = _way_back(spec, back, version)
        for key, data in cells.of_version(version):
            fields: dict[str, Any] = msgspec.msgpack.decode(memoryview(data)[2:])
            try:
                for step in steps:
                    fields = step(fields)
                row = msgspec.convert(fields, spec.row)
                yield spec.name, key, spec.write(key, row)
            except Exception as error:  # the edge to an author's migration: whatever it raises, the room stays
                raise SchemaError(
                    f"table {spec.name}, row {key!r}: going back from version {version} to {spec.version} failed: "
                    f"{type(error).__name__}: {error}. The rows are untouched. Mend the migration."
                ) from error


def _plain(name: str, cells: Cells) -> Cells:
    """The rows of a table that the code does not declare."""
    kept = Cells(name)
    kept.take_over(cells)
    return kept
