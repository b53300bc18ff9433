"""A module stops importing another one, and no longer has its names."""

from tests.reload_cases.case import Case, Report, Sees

CASE = Case(
    "an import that is removed",
    Report(refreshed=["talk"]),
    fresh=[
        Sees("hasattr(talk, 'items')", True, False),
        Sees("hasattr(talk, 'PRICE')", True, False),
        Sees("talk.price()", 10, 0),
    ],
)
