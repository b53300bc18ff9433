"""A function is in the middle of its work when it and its helpers change what they hand each other (FM-48)."""

from tests.reload_cases.case import UNASKED, Case, Part, Report, Sees

CASE = Case(
    "a running body that calls its module's functions",
    Part.RUNNING,
    Report(refreshed=["talk"]),
    hold={"story": "talk.story()", "once": "next(story)"},
    held=[Sees("next(story)", UNASKED, "a+b")],
    fresh=[Sees("list(talk.story())[1]", "a+b", 2)],
)
