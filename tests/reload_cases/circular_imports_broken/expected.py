"""Two modules that import each other are edited and one of them raises: they are one, so both stay (FM-44)."""

from tests.reload_cases.case import Case, Part, Report, keeps

CASE = Case(
    "circular imports, one of two edits broken",
    Part.BROKEN,
    Report(failed=[("talk", 4, "AttributeError")], held=[("items", "talk")]),
    fresh=[keeps("talk.say()", "sold for 10"), keeps("items.PRICE", 10), keeps("talk.WORD", "sold")],
)
