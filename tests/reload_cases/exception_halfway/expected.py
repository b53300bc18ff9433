"""A module's body raises when half of it has run (FM-42, FM-44)."""

from tests.reload_cases.case import Case, Part, Report, keeps

CASE = Case(
    "an exception halfway through a body",
    Part.BROKEN,
    Report(failed=[("talk", 8, "IndexError")]),
    hold={"greet": "talk.greet"},
    held=[keeps("greet()", "hello stranger")],
    fresh=[keeps("talk.GREETING", "hello"), keeps("talk.greet()", "hello stranger")],
)
