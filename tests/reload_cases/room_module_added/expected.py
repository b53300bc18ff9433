"""A module with tables and commands comes to a room that runs: it is started there, once (FM-47)."""

from tests.reload_cases.case import Report
from tests.reload_cases.rooms import Edit, RoomCase, Types

CASE = RoomCase(
    "a module that is added while somebody plays",
    "is started once in each room, and its commands are there",
    [
        Types("rob", ["Huh? Type 'help' for what you can do."]),
        Edit("after", Report(added=["bank"]), shown=["A bank opens."]),
        Types("rob", ["100 coins."]),
        Edit("before", Report(removed=["bank"]), orphans=["bank.accounts"]),
        Edit("after", Report(added=["bank"])),
        Types("rob", ["100 coins."]),
    ],
)
