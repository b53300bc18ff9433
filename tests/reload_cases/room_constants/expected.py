"""A table of structs in a module: instances that the collector does not follow keep their module for ever (FM-49)."""

from tests.reload_cases.case import Report
from tests.reload_cases.rooms import Edit, RoomCase, Types

CASE = RoomCase(
    "constants that are structs",
    "are new, and the old ones leave no trace",
    [
        Types("look wolf", ["a wolf, 4 legs"]),
        Edit("after", Report(refreshed=["game", "kinds"])),
        Types("look wolf", ["a grey wolf on 4 legs"]),
    ],
)
