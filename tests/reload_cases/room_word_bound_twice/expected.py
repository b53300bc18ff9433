"""A mistake that only the whole game shows: two modules bind one word. The edited one is refused (FM-44, FM-47)."""

from tests.reload_cases.case import Report
from tests.reload_cases.rooms import Edit, RoomCase, Types

CASE = RoomCase(
    "two modules bind one word",
    "the edited one is refused, with both places",
    [
        Edit("after", Report(failed=[("dances", 5, "sing")])),
        Types("dance", ["You dance."]),
        Types("sing", ["You sing."]),
    ],
)
