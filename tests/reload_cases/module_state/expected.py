"""A module keeps what it gathers in a dictionary of its own.

Perdure keeps state in tables of rows, and names a dictionary like this one in its report.
"""

from tests.reload_cases.case import Case, Part, Report, Sees

CASE = Case(
    "state in a module's own dictionary",
    Part.LEFT,
    Report(refreshed=["talk"], warnings=[("talk", "guests")]),
    hold={"entered": "talk.enter('Ada')"},
    fresh=[
        Sees("talk.guests", {"Ada": "new"}, {"Ada": "new"}, perdure={}, wrong="state lost"),
        Sees("talk.greet()", "hello", "good evening"),
    ],
)
