"""A base class lists its subclasses; the module of one of them is edited (FM-47)."""

from tests.reload_cases.case import Case, Part, Report, Sees, keeps

CASE = Case(
    "a base class that lists its subclasses",
    Part.TOGETHER,
    Report(refreshed=["wolves"]),
    fresh=[keeps("creatures.kinds()", ["Wolf"], wrong="doubled"), Sees("wolves.Wolf.legs", 4, 3)],
)
