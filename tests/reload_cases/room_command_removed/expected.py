"""A module is deleted: its commands and its help are gone at once, and another module's are not (FM-47)."""

from tests.reload_cases.case import Report
from tests.reload_cases.rooms import Edit, RoomCase, Types

CASE = RoomCase(
    "a module with a command and its help is removed",
    "both are gone at once; nothing of them is left in the help of others",
    [
        Types("dance", ["You dance."]),
        Types("help dance", ["dance\n  Dance like nobody watches."]),
        Edit("after", Report(removed=["dances"])),
        Types("dance", ["Huh? Type 'help' for what you can do."]),
        Types("help dance", ["There is no command 'dance'. Type 'help' for what you can do."]),
        Types("sing", ["You sing."]),
    ],
)
