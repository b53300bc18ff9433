"""Two modules import each other; one is edited."""

from tests.reload_cases.case import Case, Part, Report, Sees

CASE = Case(
    "circular imports",
    Part.TOGETHER,
    Report(refreshed=["items", "talk"]),
    fresh=[Sees("items.sell()", "sold for 10", "sold for 12"), Sees("talk.say('gone')", "gone for 10", "gone for 12")],
)
