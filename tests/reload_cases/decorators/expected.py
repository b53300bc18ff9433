"""A decorator changes; the function that it decorates stands in a module that nobody edited (FM-45)."""

from tests.reload_cases.case import Case, Part, Report, Sees

CASE = Case(
    "a decorator in another module",
    Part.TOGETHER,
    Report(refreshed=["manners", "talk"]),
    fresh=[Sees("talk.ask('salt')", "salt, please", "salt, if you please")],
)
