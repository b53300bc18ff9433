"""A function that `room.ask` runs is replaced meanwhile: it ends as it began, the new code gets its answer (FM-48)."""

from tests.reload_cases.case import Report
from tests.reload_cases.rooms import Edit, RoomCase, Touches, Types

CASE = RoomCase(
    "a function that room.ask runs",
    "ends on the old code; the new code gets the answer",
    [
        Types("ask FOLDER/gate", ["One moment."]),
        Edit("after", Report(refreshed=["game"])),
        Touches("gate", ["New: salt, please"]),
        Edit("before", Report(refreshed=["game"])),
    ],
)
