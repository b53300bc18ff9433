"""A function that runs in a thread while its module and the one that it imports late are replaced (FM-48)."""

from tests.reload_cases.case import UNASKED, Case, Part, Report, Sees

CASE = Case(
    "a running body that imports late",
    Part.RUNNING,
    Report(refreshed=["talk", "words"]),
    hold={"gate": "__import__('threading').Event()", "fetching": "begin(talk.fetch, gate)"},
    held=[Sees("(gate.set(), fetching.answer())[1]", UNASKED, "hello, please")],
    fresh=[Sees("talk.fetch(gate)", UNASKED, "hello, if you please")],
    over=["gate.set()", "fetching.answer()"],
)
