"""A method becomes a property: new code that meets an old instance reads it without calling."""

from tests.reload_cases.case import Case, Part, Report, Sees

CASE = Case(
    "a method that becomes a property",
    Part.HELD,
    Report(refreshed=["items"]),
    hold={"sword": "items.Sword()"},
    held=[Sees("callable(sword.weight)", True, False, perdure=True)],
    fresh=[Sees("callable(items.Sword().weight)", True, False)],
)
