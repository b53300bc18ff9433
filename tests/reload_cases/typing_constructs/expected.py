"""Protocol, NewType, TypedDict, NamedTuple and Generic change in the module that another one imports them from."""

from tests.reload_cases.case import Case, Part, Report, Sees

CASE = Case(
    "Protocol, NewType, TypedDict, NamedTuple, Generic",
    Part.TOGETHER,
    Report(refreshed=["kinds", "talk"]),
    fresh=[
        Sees(
            "talk.seen()",
            [True, 3, "Coins", ["price"], {"x": 0}, "box"],
            [False, 3, "Gold", ["count", "price"], {"x": 0, "y": 0}, "chest"],
        )
    ],
)
