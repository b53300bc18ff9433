"""A method that was deleted uncovers the one it had replaced, for instances that are held, too (FM-47)."""

from tests.reload_cases.case import Case, Part, Report, Sees

CASE = Case(
    "a removed method that hid an inherited one",
    Part.HELD,
    Report(refreshed=["items"]),
    hold={"sword": "items.Sword()"},
    held=[Sees("sword.look()", "a sword", "a thing", perdure="a sword")],
    fresh=[Sees("items.Sword().look()", "a sword", "a thing")],
)
