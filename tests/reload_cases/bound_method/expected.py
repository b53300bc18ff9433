"""A method that was taken from an instance before the edit."""

from tests.reload_cases.case import Case, Part, Report, Sees

CASE = Case(
    "a bound method that is held",
    Part.HELD,
    Report(refreshed=["items"]),
    hold={"swing": "items.Sword().swing"},
    held=[Sees("swing()", "swish", "woosh", perdure="swish")],
    fresh=[Sees("items.Sword().swing()", "swish", "woosh")],
)
