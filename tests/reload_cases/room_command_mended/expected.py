"""A command that raised until it was disabled works again when its code is edited (FM-50)."""

from tests.reload_cases.case import Report
from tests.reload_cases.rooms import Edit, RoomCase, Types

FAILED = 'The command "dance" failed. Nothing of it was kept, and the failure was reported.'

CASE = RoomCase(
    "a command that was disabled since it raised",
    "works again when its code changes",
    [
        Types("dance", [FAILED]),
        Types("dance", [FAILED]),
        Types("dance", [f"{FAILED} It is disabled now."]),
        Types("dance", ["That is disabled: it kept failing. It comes back when its code is mended."]),
        Edit("after", Report(refreshed=["game"])),
        Types("dance", ["You dance."]),
    ],
)
