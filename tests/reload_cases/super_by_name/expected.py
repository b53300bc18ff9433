"""An instance made before the edit runs a method that names its own class."""

from tests.reload_cases.case import Case, Part, Report, Sees

CASE = Case(
    "super(Wolf, self) in an instance that is held",
    Part.HELD,
    Report(refreshed=["wolves"]),
    hold={"wolf": "wolves.Wolf()"},
    held=[Sees("wolf.speak()", "grunt, howl", "growl, howl", perdure="grunt, howl")],
    fresh=[Sees("wolves.Wolf().speak()", "grunt, howl", "growl, howl")],
)
