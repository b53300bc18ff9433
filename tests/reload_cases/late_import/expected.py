"""A function of a module that nobody edited imports when it is called."""

from tests.reload_cases.case import Case, Part, Report, Sees

CASE = Case(
    "an import inside a function",
    Part.TOGETHER,
    Report(refreshed=["items", "talk"]),
    fresh=[Sees("talk.price()", 10, 12)],
)
