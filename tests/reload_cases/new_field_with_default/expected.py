"""A dataclass gets a field with a default, which stands in its class, too (FM-46)."""

from tests.reload_cases.case import Case, Part, Raised, Report, Sees

CASE = Case(
    "a new field with a default, and an instance that is held",
    Part.HELD,
    Report(refreshed=["items"]),
    hold={"sword": "items.Sword()"},
    held=[
        Sees("items.describe(sword)", "a sharp sword", "a sharp sword of 3 pounds", perdure=Raised("AttributeError"))
    ],
    fresh=[Sees("items.describe(items.Sword())", "a sharp sword", "a sharp sword of 3 pounds")],
)
