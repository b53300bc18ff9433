"""A method becomes a property: new code that meets an old instance reads it without calling."""

from tests.reload_cases.case import Case, Report, Sees

CASE = Case(
    "a method that becomes a property",
    Report(refreshed=["items"]),
    hold={"sword": "items.Sword()"},
    held=[Sees("callable(sword.weight)", True, False, perdure=True)],
    fresh=[Sees("callable(items.Sword().weight)", True, False)],
)
