"""A function imports when it is called. One that is held belongs to its generation, and so does what it imports."""

from tests.reload_cases.case import Case, Report, Sees

CASE = Case(
    "an import inside a function",
    Report(refreshed=["items", "talk"]),
    hold={"price": "talk.price"},
    held=[Sees("price()", 10, 12, perdure=10)],
    fresh=[Sees("talk.price()", 10, 12)],
)
