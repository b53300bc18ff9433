"""A module is deleted and later restored: its tables wait as bytes, and return with it (FM-20)."""

from tests.reload_cases.case import Report
from tests.reload_cases.rooms import Edit, RoomCase, Types

CASE = RoomCase(
    "a module with tables is removed and returns",
    "its rows wait, and return with it",
    [
        Types("deposit", ["5 coins."]),
        Edit("after", Report(removed=["bank"]), orphans=["bank.accounts"]),
        Types("deposit", ["Huh? Type 'help' for what you can do."]),
        Edit("before", Report(added=["bank"])),
        Types("deposit", ["10 coins."]),
    ],
)
