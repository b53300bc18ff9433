"""Two edits that only work together: a function takes another argument, its caller gives it."""

from tests.reload_cases.case import Case, Part, Report, Sees

CASE = Case(
    "two edits that only work together",
    Part.TOGETHER,
    Report(refreshed=["items", "talk"]),
    fresh=[Sees("talk.describe()", "3 pounds", "1.4 kilos")],
)
