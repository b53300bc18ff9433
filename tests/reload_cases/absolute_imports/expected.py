"""Every absolute form of the import statement, by the game's own name."""

from tests.reload_cases.case import Case, Part, Report, Sees

CASE = Case(
    "absolute imports",
    Part.TOGETHER,
    Report(refreshed=["items", "talk"]),
    fresh=[Sees("talk.prices()", (10, 10, 10, 10), (12, 12, 12, 12))],
)
