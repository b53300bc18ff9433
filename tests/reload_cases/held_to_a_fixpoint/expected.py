"""Two edits belong together and one is broken: it keeps its last good text, which does not load with the other edit.

So that one is held, too; a third edit, which has nothing to do with them, is in effect (FM-42, FM-44).
"""

from tests.reload_cases.case import Case, Part, Report, Sees, keeps

CASE = Case(
    "an edit whose other half is broken",
    Part.BROKEN,
    Report(refreshed=["shop"], failed=[("talk", 5, "unterminated")], held=[("items", "talk")]),
    fresh=[
        keeps("talk.describe()", "3 pounds"),
        keeps("hasattr(items, 'mass')", False),
        keeps("hasattr(items, 'weight')", True),
        Sees("shop.OFFER", "mugs", "plates"),
    ],
)
