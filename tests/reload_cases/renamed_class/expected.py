"""A class is renamed, and a module that nobody edited still imports it by the old name (FM-42, FM-44)."""

from tests.reload_cases.case import Case, Part, Report, keeps

CASE = Case(
    "a class renamed under its importer",
    Part.BROKEN,
    Report(held=[("items", "talk")]),
    fresh=[
        keeps("talk.edge()", "sharp"),
        keeps("hasattr(items, 'Sword')", True),
        keeps("hasattr(items, 'Blade')", False),
    ],
)
