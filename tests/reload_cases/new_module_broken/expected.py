"""A new module is broken and nobody imports it yet: it is left out, the rest is in effect (FM-44, FM-50)."""

from tests.reload_cases.case import Case, Part, Report, Sees, keeps

CASE = Case(
    "a new module that is broken",
    Part.BROKEN,
    Report(refreshed=["talk"], failed=[("shop", 2, "AttributeError")]),
    fresh=[Sees("talk.greet()", "hello", "good evening"), keeps("'shop' in modules", False)],
)
