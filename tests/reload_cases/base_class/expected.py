"""A base class changes under a class of a module that nobody edited (FM-45)."""

from tests.reload_cases.case import Case, Part, Report, Sees

CASE = Case(
    "a base class in another module",
    Part.TOGETHER,
    Report(refreshed=["creatures", "wolves"]),
    fresh=[Sees("wolves.Wolf().speak()", "grunt, howl", "growl, howl")],
)
