"""A function imports a module by its name, as plug-in systems do: no reader of the source can see which."""

from tests.reload_cases.case import Case, Part, Report, Sees

CASE = Case(
    "importlib.import_module in a function",
    Part.TOGETHER,
    Report(refreshed=["items", "talk"]),
    fresh=[Sees("talk.price('.items')", 10, 12)],
)
