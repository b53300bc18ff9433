"""A module that nobody edited has imported a constant by value (FM-45)."""

from tests.reload_cases.case import Case, Part, Report, Sees

CASE = Case(
    "a constant imported from a changed module",
    Part.TOGETHER,
    Report(refreshed=["items", "talk"]),
    fresh=[Sees("items.PRICE", 10, 12), Sees("talk.price()", "10 coins", "12 coins")],
)
