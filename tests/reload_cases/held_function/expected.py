"""A function that a caller took before the edit (FM-45)."""

from tests.reload_cases.case import Case, Part, Report, Sees

CASE = Case(
    "a function that is held",
    Part.HELD,
    Report(refreshed=["talk"]),
    hold={"greet": "talk.greet"},
    held=[Sees("greet()", "hello", "good evening", perdure="hello")],
    fresh=[Sees("talk.greet()", "hello", "good evening")],
)
