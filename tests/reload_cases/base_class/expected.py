"""A base class changes under a class of a module that nobody edited (FM-45)."""

from tests.reload_cases.case import Case, Report, Sees

CASE = Case(
    "a base class in another module",
    Report(refreshed=["creatures", "wolves"]),
    hold={"wolf": "wolves.Wolf()"},
    held=[Sees("wolf.speak()", "grunt, howl", "growl, howl", perdure="grunt, howl")],
    fresh=[Sees("wolves.Wolf().speak()", "grunt, howl", "growl, howl")],
)
