"""An instance made before the edit: its class's methods change, what it has gathered stays."""

from tests.reload_cases.case import Case, Part, Report, Sees, keeps

CASE = Case(
    "an instance that is held",
    Part.HELD,
    Report(refreshed=["items"]),
    hold={"sword": "items.Sword()", "first": "sword.swing()"},
    held=[
        Sees("sword.swing()[:5]", "swish", "woosh", perdure="swish"),
        keeps("sword.swings > 0", True, wrong="state lost"),
    ],
    fresh=[Sees("items.Sword().swing()", "swish 1", "woosh 1")],
)
