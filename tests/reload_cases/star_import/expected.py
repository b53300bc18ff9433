"""A name that a star import brought is gone, another came."""

from tests.reload_cases.case import Case, Part, Report, Sees

CASE = Case(
    "a star import",
    Part.TOGETHER,
    Report(refreshed=["items", "talk"]),
    fresh=[Sees("talk.wares()", ["SWORD"], ["SHIELD"])],
)
