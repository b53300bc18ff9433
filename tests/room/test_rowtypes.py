"""Which types rows may have, and how a schema names them."""

from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, TypedDict

import pytest

from perdure.errors import RowError
from perdure.room.rowtypes import field_texts
from perdure.room.tables import Row, TableSpec


class Colour(Enum):
    RED = "red"


class Place(Row):
    x: int = 0


@dataclass
class Point:
    x: int


class Sized(TypedDict):
    size: int


class Tree(Row):
    children: list["Tree"] = []  # noqa: RUF012


class Everything(Row):
    a: bool | int | float | str | None
    b: list[int]
    c: tuple[int, ...]
    d: tuple[int, str]
    e: dict[str, Place]
    f: Literal["x", "y"]
    g: Colour
    h: Point
    i: Sized
    j: bytes


def test_plain_data_can_be_stored() -> None:
    """Every kind of plain data has a text that says its encoding."""
    texts = field_texts(Everything, "m.t")
    assert texts["a"] == "None | bool | float | int | str"
    assert texts["e"] == "dict[str, Place{x: int}]"
    assert texts["d"] == "tuple[int, str]"
    assert set(texts) == set("abcdefghij")


def test_a_type_may_contain_itself() -> None:
    """Recursion ends in the text."""
    assert field_texts(Tree, "m.t")["children"] == "list[Tree{children: list[Tree]}]"


@pytest.mark.parametrize(
    ("type_", "reason"),
    [
        (set[int], "is a set, whose order differs"),
        (frozenset[str], "is a set"),
        (Any, "no definite type"),
        (dict[tuple[int, int], int], "keys other than str or int"),
        (object, "cannot be stored|no definite type"),
        (list[set[int]], "is a set"),
        (complex, "."),
    ],
)
def test_what_cannot_be_stored_is_refused_by_table_and_field(type_: Any, reason: str) -> None:
    """A set's order, a guess at reading back, or no plain data at all (part of: errors to get right)."""
    bad = type("Bad", (Row,), {"__annotations__": {"field": type_}})
    with pytest.raises(RowError, match=rf"table m\.bad: field Bad\.field.*({reason})"):
        TableSpec("m.bad", bad)
