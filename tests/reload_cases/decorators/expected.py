"""A decorator changes; the function that it decorates stands in a module that nobody edited (FM-45)."""

from tests.reload_cases.case import Case, Report, Sees

CASE = Case(
    "a decorator in another module",
    Report(refreshed=["manners", "talk"]),
    hold={"ask": "talk.ask"},
    held=[Sees("ask('salt')", "salt, please", "salt, if you please", perdure="salt, please")],
    fresh=[Sees("talk.ask('salt')", "salt, please", "salt, if you please")],
)
