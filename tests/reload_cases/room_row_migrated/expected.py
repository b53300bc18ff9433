"""A field is renamed and of another type under a held room, there and back, each time by a migration (FM-21)."""

from tests.reload_cases.case import Report
from tests.reload_cases.rooms import Edit, RoomCase, Types

CASE = RoomCase(
    "the type of a row changes",
    "each row is migrated when it is first touched",
    [
        Types("hurt", ["9 left."]),
        Edit("after", Report(refreshed=["game"]), migrations=[("world.heroes", 1)]),
        Types("hurt", ["xxxxxxxx left."]),
        Edit("before", Report(refreshed=["game"]), migrations=[("world.heroes", 1)]),
        Types("hurt", ["7 left."]),
    ],
)
