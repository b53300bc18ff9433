"""A player types a command, its code is saved, the player types it again."""

from tests.reload_cases.case import Report
from tests.reload_cases.rooms import Edit, RoomCase, Types

CASE = RoomCase(
    "a command is edited",
    "the next line runs the new code, new aliases included",
    [
        Types("dance", ["You dance."]),
        Edit("after", Report(refreshed=["game"])),
        Types("dance", ["You dance a jig."]),
        Types("jig", ["You dance a jig."]),
    ],
)
