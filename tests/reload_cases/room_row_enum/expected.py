"""An enumeration gets a member; a row stored a member of it by its value, and has the new one (FM-2, FM-45)."""

from tests.reload_cases.case import Report
from tests.reload_cases.rooms import Edit, RoomCase, Types

CASE = RoomCase(
    "an enum member in a row",
    "is one of the new enumeration; a change of it needs a migration, as any other type of a field",
    [
        Types("insult", ["Grr."]),
        Types("look", ["True"]),
        Edit("after", Report(refreshed=["game"]), migrations=[("world.heroes", 1)]),
        Types("look", ["True"]),
        Types("insult", ["Sniff."]),
        Types("look", ["False"]),
        Edit("before", Report(refreshed=["game"]), migrations=[("world.heroes", 1)]),
        Types("look", ["True"]),
    ],
)
