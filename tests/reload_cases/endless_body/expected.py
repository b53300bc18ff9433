"""A module's body loops for ever, and catches whatever would end it (FM-50)."""

from tests.reload_cases.case import Case, Part, Report, keeps

CASE = Case(
    "a body that never ends",
    Part.BROKEN,
    Report(failed=[("talk", 0, "does not end")]),
    fresh=[keeps("talk.GREETING", "hello")],
    body_s=0.3,
)
