"""The type of rows gets a field with a default; a row that was there has it when it is next touched (FM-46)."""

from tests.reload_cases.case import Report
from tests.reload_cases.rooms import Edit, RoomCase, Types

CASE = RoomCase(
    "rows get a new field",
    "rows that are there have it, with its default",
    [
        Types("take", ["Taken."]),
        Types("look", ["A keen sword."]),
        Edit("after", Report(refreshed=["game"]), migrations=[("world.swords", 0)]),
        Types("look", ["A keen sword of 3 pounds."]),
        Types("look", ["A keen sword of 4 pounds."]),
    ],
)
