"""A module stops importing another one, and no longer has its names."""

from tests.reload_cases.case import Case, Part, Report, Sees

CASE = Case(
    "an import that is removed",
    Part.COMING,
    Report(refreshed=["talk"]),
    fresh=[
        Sees("hasattr(talk, 'items')", True, False),
        Sees("hasattr(talk, 'PRICE')", True, False),
        Sees("talk.price()", 10, 0),
    ],
)
