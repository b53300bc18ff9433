"""A module is broken while somebody plays: it goes on as it was and is named; the rest is live (FM-42, FM-50)."""

from tests.reload_cases.case import Report
from tests.reload_cases.rooms import Edit, RoomCase, Types

CASE = RoomCase(
    "one of two edits is broken while somebody plays",
    "that module goes on as it was, the other edit is in effect",
    [
        Types("dance", ["You dance."]),
        Edit("after", Report(refreshed=["game"], failed=[("dances", 5, "rhythm")])),
        Types("dance", ["You dance."]),
        Types("sing", ["You sing a song."]),
        Edit("before", Report(refreshed=["game"])),
        Types("sing", ["You sing."]),
    ],
)
