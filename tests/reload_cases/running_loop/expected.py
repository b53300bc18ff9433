"""A loop that never ends calls a function that is edited. What it runs is held by its frame."""

from tests.reload_cases.case import Case, Part, Report, Sees

CASE = Case(
    "a loop that never ends",
    Part.RUNNING,
    Report(refreshed=["talk"]),
    hold={"lines": "talk.lines()"},
    held=[Sees("next(lines)", "tick", "tock", perdure="tick")],
    fresh=[Sees("next(talk.lines())", "tick", "tock")],
)
