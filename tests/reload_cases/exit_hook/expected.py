"""A module's body registers a function for the end of the process; there should be one of it."""

from tests.reload_cases.case import Case, Report, Sees, keeps

CASE = Case(
    "a module that registers an exit hook",
    Report(refreshed=["talk"], warnings=[("talk", "atexit")]),
    hold={"one": "talk.HOOKS()"},
    fresh=[keeps("talk.HOOKS() - one", 0, perdure=1, wrong="doubled"), Sees("talk.WORD", "hello", "good evening")],
    over=["__import__('atexit').unregister(talk.bye)"],
)
