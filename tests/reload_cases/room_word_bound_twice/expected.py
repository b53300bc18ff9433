"""A mistake that only the whole game shows: two modules bind one word. The edited one is held (FM-44, FM-47)."""

from tests.reload_cases.case import Report
from tests.reload_cases.rooms import Edit, RoomCase, Types

CASE = RoomCase(
    "two modules bind one word",
    "the edited one is held, and both places are named",
    [
        Edit("after", Report(held=[("dances", "bound twice: by Dances.dance")])),
        Types("dance", ["You dance."]),
        Types("sing", ["You sing."]),
    ],
)
