"""A module's body leaves the process (FM-50)."""

from tests.reload_cases.case import Case, Part, Report, keeps

CASE = Case(
    "sys.exit in a body",
    Part.BROKEN,
    Report(failed=[("talk", 2, "SystemExit")]),
    fresh=[keeps("talk.GREETING", "hello")],
)
