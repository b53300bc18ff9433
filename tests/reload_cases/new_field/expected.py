"""An instance made before the edit lacks what the new constructor sets, and meets the new code (FM-46).

Rows get their new fields: see the cases with rooms.
"""

from tests.reload_cases.case import Case, Part, Raised, Report, Sees

CASE = Case(
    "a new field, and an instance that is held",
    Part.HELD,
    Report(refreshed=["items"]),
    hold={"sword": "items.Sword()"},
    held=[
        Sees("items.describe(sword)", "a sharp sword", "a sharp sword of 3 pounds", perdure=Raised("AttributeError"))
    ],
    fresh=[Sees("items.describe(items.Sword())", "a sharp sword", "a sharp sword of 3 pounds")],
)
