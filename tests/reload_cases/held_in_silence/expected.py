"""A caller holds a function over a reload, and does not tell the loader, which retires what nobody holds (FM-49).

`Live.code` and `Generation.hold` are how to tell it. Rooms, timers and `room.ask` do so by themselves.
"""

from tests.reload_cases.case import Case, Part, Raised, Report, Sees

CASE = Case(
    "a function that is held without telling the loader",
    Part.HELD,
    Report(refreshed=["talk"]),
    hold={"greet": "talk.greet"},
    held=[Sees("greet()", "hello", "good evening", perdure=Raised("NameError"))],
    fresh=[Sees("talk.greet()", "hello", "good evening")],
    says_so=False,
)
