"""A module's body starts a thread; there should be one of it, not one more with every edit (FM-49).

Nobody can stop a thread from outside. Perdure names it, and `room.ask` or a timer does what it is wanted for.
"""

from tests.reload_cases.case import Case, Part, Report, Sees, keeps

CASE = Case(
    "a module that starts a thread",
    Part.LEFT,
    Report(refreshed=["clock"], warnings=[("clock", "thread")]),
    hold={"stop": "clock.STOP.set"},
    held=[keeps("clock.clocks()", 1, perdure=2, wrong="doubled")],
    fresh=[Sees("clock.WORD", "tick", "tock")],
    over=["stop()", "clock.STOP.set()"],
)
