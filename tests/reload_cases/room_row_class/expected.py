"""A row outlives the class that it was made of: it is data, and of the new class at its next touch (FM-45, FM-46)."""

from tests.reload_cases.case import Report
from tests.reload_cases.rooms import Edit, RoomCase, Types

CASE = RoomCase(
    "methods of rows, and isinstance",
    "rows that are there are of the new class",
    [
        Types("take", ["Taken."]),
        Types("swing", ["swish, True"]),
        Edit("after", Report(refreshed=["items", "game"])),
        Types("swing", ["woosh, True"]),
    ],
)
