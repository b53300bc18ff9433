"""A player is asked something, the code is edited, the player answers: the new code gets it (FM-28)."""

from tests.reload_cases.case import Report
from tests.reload_cases.rooms import Edit, RoomCase, Types

CASE = RoomCase(
    "a question that a player has not answered yet",
    "the new code gets the answer",
    [
        Types("buy", ["How many?"]),
        Edit("after", Report(refreshed=["game"])),
        Types("three", ["three fine mugs for you."]),
    ],
)
