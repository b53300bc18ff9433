"""An instance made before the edit is shown to the new code, which asks what it is.

With Perdure it is of the old class. Rows have no such gap: they are data, and of the new class at their next touch.
"""

from tests.reload_cases.case import Case, Part, Report, Sees, keeps

CASE = Case(
    "isinstance of an instance that is held",
    Part.HELD,
    Report(refreshed=["items"]),
    hold={"sword": "items.Sword()"},
    held=[keeps("items.is_sword(sword)", True, perdure=False)],
    fresh=[keeps("items.is_sword(items.Sword())", True), Sees("hasattr(items.Sword, 'edge')", False, True)],
)
