"""What may be asked of a copyover: nonsense is refused with what to do, before anything happens."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.errors import ContractError
from perdure.movement.copyover_order import (
    HELP_IN_GAME,
    IN_S_MAX,
    WORDS,
    CopyoverOrder,
    asked,
    check,
    in_game,
    order_of,
    params_of,
)


@pytest.mark.parametrize(
    ("wish", "advice"),
    [
        ({"in_s": -1.0}, "from 0 to"),
        ({"in_s": math.inf}, "from 0 to"),
        ({"in_s": math.nan}, "from 0 to"),
        ({"in_s": IN_S_MAX + 1}, "from 0 to"),
        ({"build": ["make"], "no_build": True}, "not both"),
        ({"build": []}, "nothing to run"),
        ({"build": [""]}, "nothing to run"),
        ({"build": ["ma\0ke"]}, "nothing to run"),
        ({"to": "older"}, "--to previous"),
        ({"to": "0"}, "--to previous"),
        ({"to": "-3"}, "--to previous"),
        ({"to": "3", "build": ["make"]}, "--to or --build"),
        ({"canary": 10.0}, "--canary 10 --watch 60"),
        ({"watch_s": 10.0}, "--canary 10 --watch 60"),
        ({"canary": 0.0, "watch_s": 60.0}, "from 1 to 99"),
        ({"canary": 10.0, "watch_s": 0.0}, "up to 3600"),
        ({"canary": 10.0, "watch_s": 60.0, "action": "test"}, "Ask for one of them"),
        ({"canary": 10.0, "watch_s": 60.0, "partial": True}, "Ask for one of them"),
        ({"action": "test", "in_s": 60.0}, "without a time"),
        ({"by": "x" * 81}, "at most 80"),
    ],
)
def test_what_contradicts_itself_is_refused_with_what_to_do(wish, advice) -> None:
    """The same for whoever asks."""
    with pytest.raises(ContractError, match=advice):
        check(CopyoverOrder(**wish))
    with pytest.raises(ContractError, match=advice):
        order_of(wish)


@given(
    st.builds(
        CopyoverOrder,
        in_s=st.floats(0, IN_S_MAX),
        no_build=st.booleans(),
        to=st.sampled_from(["", "previous", "7"]),
        partial=st.booleans(),
        quiet=st.none() | st.booleans(),
        by=st.text(max_size=80),
    )
)
def test_what_makes_sense_goes_over_the_wire_as_it_is(order: CopyoverOrder) -> None:
    """The command line's order is the supervisor's."""
    assert order_of(params_of(order)) == order


@pytest.mark.parametrize(
    ("params", "named"), [({"parshal": True}, "parshal"), ({"in_s": "soon"}, "in_s"), ({"action": "cancel"}, "action")]
)
def test_a_request_with_other_params_is_refused(params, named) -> None:
    """A typing error in a program's request is no copyover with fewer wishes."""
    with pytest.raises(ContractError, match=f"{named}.*Nothing was changed"):
        order_of(params)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ([], ("now", 0)),
        (["now"], ("now", 0)),
        (["60"], ("now", 60)),
        (["TEST"], ("test", 0)),
        (["status"], ("status", 0)),
        (["cancel"], ("cancel", 0)),
        (["history"], ("history", 0)),
    ],
)
def test_words_mean_what_people_type(words, meant) -> None:
    """In the game and on the command line."""
    assert asked(words) == meant


def test_advice_in_the_game_can_be_typed_there() -> None:
    """What has no word in the game is still named as the shell has it."""
    assert in_game("Look: perdure copyover status. Or: perdure copyover 60.") == (
        "Look: @copyover status. Or: @copyover 60."
    )
    shell = "perdure copyover --to previous, perdure events"
    assert in_game(shell) == shell


def test_the_help_in_the_game_has_every_word() -> None:
    """An admin has no other page there."""
    assert all(f"@copyover {word} " in HELP_IN_GAME for word in (*WORDS[1:], "SECONDS"))


@pytest.mark.parametrize("words", [["soon"], ["-5"], ["nan"], ["1e9"], ["now", "please"], [""]])
def test_other_words_are_refused(words) -> None:
    """And nothing was changed."""
    with pytest.raises(ContractError, match="Nothing was changed"):
        asked(words)
