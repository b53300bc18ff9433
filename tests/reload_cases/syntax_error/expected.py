"""One of two edited files does not parse: it changes nothing and is named with its line; the other is in effect."""

from tests.reload_cases.case import Case, Part, Report, Sees, keeps

CASE = Case(
    "a syntax error in one of two edits",
    Part.BROKEN,
    Report(refreshed=["shop"], failed=[("talk", 2, "never closed")]),
    fresh=[keeps("talk.greet()", "hello"), Sees("shop.OFFER", "mugs", "plates")],
)
