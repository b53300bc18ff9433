"""A closure that was made before the edit keeps what it closed over."""

from tests.reload_cases.case import Case, Part, Report, Sees

CASE = Case(
    "a closure that is held",
    Part.HELD,
    Report(refreshed=["talk"]),
    hold={"greet": "talk.greeter('Ada')"},
    held=[Sees("greet()", "hello, Ada", "good evening, Ada", perdure="hello, Ada")],
    fresh=[Sees("talk.greeter('Bob')()", "hello, Bob", "good evening, Bob")],
)
