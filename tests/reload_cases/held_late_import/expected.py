"""A function that is held imports when it is called: it belongs to its generation, and so does what it imports."""

from tests.reload_cases.case import Case, Part, Report, Sees

CASE = Case(
    "a held function that imports when it is called",
    Part.HELD,
    Report(refreshed=["items", "talk"]),
    hold={"price": "talk.price"},
    held=[Sees("price()", 10, 12, perdure=10)],
    fresh=[Sees("talk.price()", 10, 12)],
)
