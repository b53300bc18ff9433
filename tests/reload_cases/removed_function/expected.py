"""A function that was deleted can't be reached any more (FM-47)."""

from tests.reload_cases.case import Case, Part, Report, Sees

CASE = Case(
    "a removed function",
    Part.COMING,
    Report(refreshed=["talk"]),
    fresh=[Sees("hasattr(talk, 'shout')", True, False), Sees("talk.greet()", "hello", "good evening")],
)
