"""Old code finds its own classes by their module's name, as pickle, msgspec and typing do."""

from tests.reload_cases.case import Case, Part, Report, Sees, keeps

CASE = Case(
    "a held function that finds its class by name",
    Part.HELD,
    Report(refreshed=["talk"]),
    hold={"home": "talk.home"},
    held=[keeps("home()", True)],
    fresh=[
        keeps("talk.home()", True),
        Sees("talk.where()", ("talk", "talk.py", True), ("talk", "talk.py", True, "new")),
    ],
)
