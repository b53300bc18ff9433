"""Every relative form of the import statement, from inside a package."""

from tests.reload_cases.case import Case, Part, Report, Sees

CASE = Case(
    "relative imports",
    Part.TOGETHER,
    Report(refreshed=["items", "market", "market.stall"]),
    fresh=[Sees("module('market.stall').prices()", (10, 10, 10), (12, 12, 12)), Sees("market.PRICE", 10, 12)],
)
