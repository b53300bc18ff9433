"""A file is deleted together with the import of it (FM-47)."""

from tests.reload_cases.case import Case, Part, Report, Sees

CASE = Case(
    "a module that is removed",
    Part.COMING,
    Report(refreshed=["talk"], removed=["shop"]),
    fresh=[Sees("talk.offer()", "a mug for 10", "nothing"), Sees("'shop' in modules", True, False)],
)
