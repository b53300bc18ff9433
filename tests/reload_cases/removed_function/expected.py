"""A function that was deleted can't be reached any more (FM-47)."""

from tests.reload_cases.case import Case, Report, Sees

CASE = Case(
    "a removed function",
    Report(refreshed=["talk"]),
    fresh=[Sees("hasattr(talk, 'shout')", True, False), Sees("talk.greet()", "hello", "good evening")],
)
