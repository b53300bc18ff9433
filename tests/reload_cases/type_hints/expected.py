"""Forward references are looked up by a module's name, at any time: the hints of a class mean the classes beside it.

Decoders and validators resolve them late, which is how an old class comes to be filled with new ones.
"""

from tests.reload_cases.case import Case, Part, Report, Sees, keeps

CASE = Case(
    "get_type_hints of a class that is held",
    Part.HELD,
    Report(refreshed=["items"]),
    hold={"hints": "__import__('typing').get_type_hints", "Sword": "items.Sword", "Smith": "items.Smith"},
    held=[
        keeps("hints(Sword)['smith'] is Smith", True),
        keeps("hints(Sword)['marks'].__args__[0].__name__", "Mark"),
    ],
    fresh=[
        Sees("hints(items.Sword)['smith'].town", "Ulm", "Solingen"),
        keeps("hints(items.Sword)['smith'] is items.Smith", True),
    ],
)
