"""Decorators enter functions into a list of another module; one function is edited, one deleted (FM-47).

A list that a module fills in another one is beyond any reloader. Perdure's own decorators only mark, and a reload
collects the marks anew; a list like this one is reported.
"""

from tests.reload_cases.case import Case, Part, Report, Sees

CASE = Case(
    "a registry filled by decorators",
    Part.TOGETHER,
    Report(refreshed=["talk"], warnings=[("registry", "commands")]),
    fresh=[Sees("registry.known()", ["say", "shout"], ["say"], perdure=["say", "say", "shout"], wrong="doubled")],
    outlives="the list in the unchanged module keeps the functions of both",
)
