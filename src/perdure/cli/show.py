"""How commands print: one JSON object for programs, plain columns for people.

Names, rooms and log lines come from strangers: nothing is printed for people without `plain`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
import msgspec

from perdure.supervisor.plain import plain


def print_json(value: Any) -> None:
    """One line of JSON on stdout."""
    click.echo(msgspec.json.encode(value))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """Aligned columns, numbers to the right; `empty` when there are no rows."""
    cells = [[plain(cell) for cell in row] for row in rows]
    if not cells:
        click.echo(empty)
        return
    widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
    right = [all(_is_number(cell) for cell in column) for column in zip(*cells, strict=True)]
    click.secho(_line(headings, widths, right), bold=True)
    for row in cells:
        click.echo(_line(row, widths, right))


def print_fields(fields: Iterable[tuple[str, Any]]) -> None:
    """Name and value, a line each."""
    known = [(name, plain(value)) for name, value in fields]
    width = max((len(name) for name, _ in known), default=0)
    for name, value in known:
        click.echo(f"{name:<{width}}  {value}".rstrip())


def duration(seconds: float) -> str:
    """A time span in the two units that matter."""
    whole = int(seconds)
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{seconds:.1f} s"


def size(count: float) -> str:
    """Bytes in the unit that people read."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError("unreachable")


def copyover_state(found: Mapping[str, Any]) -> str:
    """Whether a copyover goes on, and how far it is: one line for `status` and `copyover status`."""
    state, phase = found["state"], found.get("phase")
    if state == "idle":
        return "copyover: none under way"
    when = f" in {found['in_s']:.0f} s" if state == "scheduled" and found.get("in_s") is not None else ""
    step = f", at {phase}" if phase else ""
    if canary := found.get("canary"):
        rooms, left_s = f"{canary['rooms']} of {canary['of']} rooms", f"{canary['left_s']:.0f} s"
        step = f", a canary in {rooms} is watched for {left_s} more; to call it off: perdure copyover cancel"
    who = f", asked for by {found['by']}" if found.get("by") else ""
    return plain(f"copyover: {state}{when}{step}{who}")


def _is_number(cell: str) -> bool:
    return cell.replace(".", "", 1).replace("-", "", 1).isdigit() or not cell


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    placed = (
        cell.rjust(width) if to_right else cell.ljust(width)
        for cell, width, to_right in zip(cells, widths, right, strict=True)
    )
    return "  ".join(placed).rstrip()
