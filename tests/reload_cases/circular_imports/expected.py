"""Two modules import each other; one is edited."""

from tests.reload_cases.case import Case, Report, Sees

CASE = Case(
    "circular imports",
    Report(refreshed=["items", "talk"]),
    hold={"sell": "items.sell"},
    held=[Sees("sell()", "sold for 10", "sold for 12", perdure="sold for 10")],
    fresh=[Sees("items.sell()", "sold for 10", "sold for 12"), Sees("talk.say('gone')", "gone for 10", "gone for 12")],
)
