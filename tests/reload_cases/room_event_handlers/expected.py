"""A handler of events is called once for each, however often its module was reloaded (FM-47, FM-89)."""

from tests.reload_cases.case import Report
from tests.reload_cases.rooms import Edit, RoomCase, Types

CASE = RoomCase(
    "a handler of events, reloaded again and again",
    "is called once for each event",
    [
        Types("slay Grue", ["Grue is buried."]),
        Edit("after", Report(refreshed=["events", "game", "graves"])),
        Types("slay Grue", ["Grue is buried."]),
        Edit("before", Report(refreshed=["events", "game", "graves"])),
        Types("slay Grue", ["Grue is buried."]),
        Edit("after", Report(refreshed=["events", "game", "graves"])),
        Types("slay Grue", ["Grue is buried."]),
    ],
)
