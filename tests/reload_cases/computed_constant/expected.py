"""Constants that are computed at import from a changed one, two modules away (FM-45)."""

from tests.reload_cases.case import Case, Part, Report, Sees

CASE = Case(
    "a constant computed from another, two modules on",
    Part.TOGETHER,
    Report(refreshed=["items", "shop", "talk"]),
    fresh=[
        Sees("items.PRICE", 10, 11),
        Sees("shop.DOZEN", 120, 132),
        Sees("talk.OFFER", "a dozen for 120", "a dozen for 132"),
    ],
)
