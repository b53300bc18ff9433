"""A module's body registers a function for the end of the process; there should be one of it."""

from tests.reload_cases.case import Case, Part, Report, Sees, keeps

CASE = Case(
    "a module that registers an exit hook",
    Part.LEFT,
    Report(refreshed=["talk"], warnings=[("talk", "atexit")]),
    hold={"one": "talk.HOOKS()", "bye": "talk.bye"},
    fresh=[keeps("talk.HOOKS() - one", 0, perdure=1, wrong="doubled"), Sees("talk.WORD", "hello", "good evening")],
    over=["__import__('atexit').unregister(bye)", "__import__('atexit').unregister(talk.bye)"],
)
