"""Three reloads are asked for at once: they come one after the other, and the first does the work (FM-51)."""

from tests.reload_cases.case import Report
from tests.reload_cases.rooms import Edit, RoomCase, Types

CASE = RoomCase(
    "reloads that are asked for at once",
    "come one after the other; each has its report",
    [
        Types("dance", ["You dance."]),
        Edit("after", Report(refreshed=["game"]), times=3),
        Types("dance", ["You waltz."]),
    ],
)
