"""A package's `__init__.py` passes on what one of its modules defines, and that module is edited."""

from tests.reload_cases.case import Case, Part, Report, Sees

CASE = Case(
    "a package that re-exports",
    Part.TOGETHER,
    Report(refreshed=["shop", "shop.goods", "talk"]),
    fresh=[Sees("talk.offer()", (10, 5, 10), (12, 6, 12))],
)
