"""A new file, and an old one that imports it."""

from tests.reload_cases.case import Case, Part, Report, Sees

CASE = Case(
    "a module that is added",
    Part.COMING,
    Report(refreshed=["talk"], added=["shop"]),
    fresh=[Sees("talk.offer()", "nothing", "a mug for 10"), Sees("'shop' in modules", False, True)],
)
