"""An edit that changes neither the size of the file nor its time, as two saves within a second can (FM-43)."""

from tests.reload_cases.case import Case, Part, Report, Sees

CASE = Case(
    "an edit of the same size within a second",
    Part.TOGETHER,
    Report(refreshed=["talk"]),
    fresh=[Sees("talk.greet()", "hello", "howdy")],
    same_second=True,
)
