"""Two edits that only work together, saved one after the other, and the importer first (FM-43)."""

from tests.reload_cases.case import Case, Part, Report, Sees

CASE = Case(
    "two edits, the importer saved first",
    Part.TOGETHER,
    Report(refreshed=["armoury", "smithy"]),
    saved=["armoury.py", "smithy.py"],
    fresh=[Sees("armoury.order()", "iron", "tempered steel")],
)
