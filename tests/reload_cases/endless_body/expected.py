"""A module's body loops for ever, and catches whatever would end it (FM-50)."""

from tests.reload_cases.case import Case, Report, keeps

CASE = Case(
    "a body that never ends",
    Report(failed=[("talk", 3, "")]),
    fresh=[keeps("talk.GREETING", "hello")],
    body_s=0.3,
)
