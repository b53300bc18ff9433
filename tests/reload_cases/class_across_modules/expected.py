"""Two modules that nobody edited must agree about the classes of a third, instances and exceptions alike (FM-45)."""

from tests.reload_cases.case import Case, Part, Report, Sees, keeps

CASE = Case(
    "a class that other modules import",
    Part.TOGETHER,
    Report(refreshed=["items", "shop", "talk"]),
    fresh=[
        keeps("talk.buy()", True),
        keeps("talk.complain()", "mended"),
        Sees("shop.sell().swing()", "swish", "woosh"),
    ],
)
