"""A dataclass whose default changed: replace, asdict and == with an instance that was made before.

A dataclass equals only what is of the very same class.
"""

from tests.reload_cases.case import Case, Part, Report, Sees, keeps

CASE = Case(
    "dataclasses",
    Part.HELD,
    Report(refreshed=["items", "talk"]),
    hold={"sword": "items.Sword(1, ['a'])"},
    held=[
        keeps("talk.sharpened(sword)", {"edge": 2, "runes": ["a"]}),
        keeps("talk.same(sword, items.Sword(1, ['a']))", True, perdure=False),
    ],
    fresh=[Sees("talk.sharpened(items.Sword())['edge']", 2, 6)],
)
