"""Timers that were set by the old code call the new one, once and when they are due (FM-24, FM-47, FM-88)."""

from tests.reload_cases.case import Report
from tests.reload_cases.rooms import Edit, Passes, RoomCase, Types

CASE = RoomCase(
    "timers, and methods that are called every so often",
    "each fires once, when it was due, and runs the new code",
    [
        Types("light bomb", ["It fizzes."]),
        Edit("after", Report(refreshed=["game"])),
        Passes(6, ["bomb goes off with a puff."]),
        Passes(6, ["Dong."]),
        Passes(10, ["Dong."]),
    ],
)
