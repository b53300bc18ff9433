"""An enumeration gets a member; a member that was taken before is compared by identity.

With Perdure it is a member of the old enumeration. In a row it is stored by its value, and is of the new one.
"""

from tests.reload_cases.case import Case, Part, Report, Sees, keeps

CASE = Case(
    "an enum member that is held",
    Part.HELD,
    Report(refreshed=["kinds", "talk"]),
    hold={"calm": "kinds.Mood.CALM"},
    held=[keeps("talk.words(calm)", "hello", perdure="grr")],
    fresh=[
        keeps("talk.words(kinds.Mood('calm'))", "hello"),
        Sees("talk.moods()", ["CALM", "ANGRY"], ["CALM", "ANGRY", "SAD"]),
    ],
)
