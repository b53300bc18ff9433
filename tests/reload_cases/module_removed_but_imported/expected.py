"""A file is deleted that another one still imports: it stays in effect, and the report says because of what (FM-42)."""

from tests.reload_cases.case import Case, Part, Report, keeps

CASE = Case(
    "a removed module that is still imported",
    Part.COMING,
    Report(held=[("shop", "talk")]),
    fresh=[keeps("talk.offer()", "a mug for 10"), keeps("'shop' in modules", True)],
)
