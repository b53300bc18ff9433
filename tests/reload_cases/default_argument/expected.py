"""Only a default value of a held function is edited."""

from tests.reload_cases.case import Case, Part, Report, Sees

CASE = Case(
    "a default argument of a held function",
    Part.HELD,
    Report(refreshed=["talk"]),
    hold={"greet": "talk.greet"},
    held=[Sees("greet()", "hello, stranger", "hello, friend", perdure="hello, stranger")],
    fresh=[Sees("talk.greet()", "hello, stranger", "hello, friend")],
)
