"""A function of a module that nobody edited remembers what it once answered."""

from tests.reload_cases.case import Case, Part, Report, Sees

CASE = Case(
    "a cached function that uses a changed module",
    Part.TOGETHER,
    Report(refreshed=["items", "talk"]),
    fresh=[Sees("talk.price()", 20, 22)],
)
