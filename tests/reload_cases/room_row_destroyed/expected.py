"""A field is renamed, and nothing says what becomes of its values: refused by name, and nothing changed (FM-21)."""

from tests.reload_cases.case import Report
from tests.reload_cases.rooms import Edit, RoomCase, Types

CASE = RoomCase(
    "a field of a row is renamed without a migration",
    "refused, with file and line; the room goes on with its rows",
    [
        Types("hurt", ["9 left."]),
        Edit("after", Report(failed=[("game", 9, "hp goes, health comes")])),
        Types("hurt", ["8 left."]),
    ],
)
