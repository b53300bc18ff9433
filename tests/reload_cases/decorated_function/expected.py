"""A function under a decorator is edited, and a caller holds what the decorator made of it."""

from tests.reload_cases.case import Case, Part, Report, Sees

CASE = Case(
    "a decorated function that is held",
    Part.HELD,
    Report(refreshed=["talk"]),
    hold={"ask": "talk.ask"},
    held=[Sees("ask('salt')", "the salt, please", "some salt, please", perdure="the salt, please")],
    fresh=[Sees("talk.ask('salt')", "the salt, please", "some salt, please")],
)
