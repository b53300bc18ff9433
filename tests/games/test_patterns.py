"""The usage is the parser: what fits, what does not, and what the player reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.games.python.patterns import Pattern, PatternError, Unfit, tokens

KINDS = {"count": "int", "price": "float", "whom": "Player"}


def matched(usage: str, line: str) -> dict[str, object]:
    """The values of a line, whose leading words are already gone."""
    pattern = Pattern(usage, lambda name: KINDS.get(name, "str"))  # type: ignore[arg-type, return-value]
    return dict(pattern.match(line, tokens(line)))


@pytest.mark.parametrize(
    ("usage", "line", "values"),
    [
        ("look", "", {}),
        ("say TEXT", "hello,  you", {"text": "hello,  you"}),
        ("give ITEM to WHOM", "big red ball to bob", {"item": "big red ball", "whom": "bob"}),
        ("give ITEM to WHOM", "ball TO bob", {"item": "ball", "whom": "bob"}),
        ("give ITEM to WHOM", "to to to", {"item": "to", "whom": "to"}),
        ("give [COUNT] ITEM to WHOM", "3 apples to bob", {"count": 3, "item": "apples", "whom": "bob"}),
        ("give [COUNT] ITEM to WHOM", "apples to bob", {"item": "apples", "whom": "bob"}),
        ("buy [COUNT] ITEM", "3", {"item": "3"}),
        ("get ITEM [from PLACE]", "old hat from the box", {"item": "old hat", "place": "the box"}),
        ("get ITEM [from PLACE]", "old hat", {"item": "old hat"}),
        ("tell WHOM TEXT", "bob how  are you", {"whom": "bob", "text": "how  are you"}),
        ("put ITEM COUNT", "big rock 3", {"item": "big rock", "count": 3}),
        ("ask PRICE for ITEM", "-2.5 for hat", {"price": -2.5, "item": "hat"}),
        ("look [THING]", "", {}),
    ],
)
def test_a_line_that_fits_gives_the_parameters(usage, line, values):
    """Texts take words up to the next literal word, the last one the rest as typed; numbers and players one word."""
    assert matched(usage, line) == values


@pytest.mark.parametrize(
    ("usage", "line", "message"),
    [
        ("look", "around", ""),
        ("say TEXT", "", ""),
        ("give ITEM to WHOM", "ball bob", ""),
        ("pay COUNT to WHOM", "many to bob", 'COUNT is a whole number, and "many" is not.'),
        ("pay COUNT to WHOM", "2.5 to bob", 'COUNT is a whole number, and "2.5" is not.'),
        ("pay COUNT to WHOM", "9" * 5000 + " to bob", "COUNT has at most 18 digits."),
        ("pay COUNT to WHOM", "-" + "9" * 19 + " to bob", "COUNT has at most 18 digits."),
        ("pay COUNT to WHOM", "lots" * 500 + " to bob", 'COUNT is a whole number, and "lotslotslotslotslo" is not.'),
        ("pay COUNT to WHOM", "١ to bob", "COUNT is a whole number"),
        ("ask PRICE for ITEM", "nan for hat", 'PRICE is a number, and "nan" is not.'),
        ("ask PRICE for ITEM", ". for hat", 'PRICE is a number, and "." is not.'),
    ],
)
def test_a_line_that_does_not_fit_says_why_in_the_players_words(usage, line, message):
    """A number that is none is named; for the rest, the usage says it all."""
    with pytest.raises(Unfit) as unfit:
        matched(usage, line)
    assert message in str(unfit.value)


@pytest.mark.parametrize(
    ("usage", "message"),
    [
        ("ITEM", "begin with"),
        ("[now] go", "begin with"),
        ("give Item", "UPPER case"),
        ("give [ITEM", "brackets"),
        ("give ITEM]", "brackets"),
        ("give []", "brackets"),
        ("give [a [b]]", "brackets"),
    ],
)
def test_a_pattern_that_is_none_is_refused(usage, message):
    """With a reason that an author understands."""
    with pytest.raises(PatternError, match=message):
        Pattern(usage, lambda name: "str")


@given(st.text(), st.sampled_from(["say TEXT", "give [COUNT] ITEM to WHOM", "get ITEM [from PLACE]", "a B C D"]))
def test_no_line_is_an_accident(line, usage):
    """Whatever is typed either fits or is `Unfit`."""
    try:
        values = matched(usage, line)
    except Unfit:
        return
    assert all(isinstance(value, int) or str(value) in line for value in values.values())
