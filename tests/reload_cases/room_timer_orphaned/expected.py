"""The method that a timer is to call is deleted: the timer waits, is listed, fires when the method returns (FM-24)."""

from tests.reload_cases.case import Report
from tests.reload_cases.rooms import Edit, Passes, RoomCase, Types

CASE = RoomCase(
    "a timer whose handler is gone",
    "waits, is listed, and fires when the handler returns",
    [
        Types("light bomb", ["It fizzes."]),
        Edit("after", Report(refreshed=["game"]), orphans=["world.explode"]),
        Passes(20),
        Types("light it", ["It is wet."]),
        Edit("before", Report(refreshed=["game"]), shown=["bomb explodes!"]),
        Passes(20),
    ],
)
