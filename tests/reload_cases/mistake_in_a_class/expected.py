"""A name is misspelt in a class's body, below a constant that was edited, too (FM-44)."""

from tests.reload_cases.case import Case, Part, Report, keeps

CASE = Case(
    "a misspelt name in a class body",
    Part.BROKEN,
    Report(failed=[("items", 5, "NameError")]),
    fresh=[keeps("items.KINDS", ["sword"]), keeps("items.Sword.edge", "sharp")],
)
