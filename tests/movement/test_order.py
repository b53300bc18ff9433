"""What may be asked of a reload: nonsense is refused with what to do, before anything happens."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.errors import ContractError
from perdure.movement.order import (
    WATCH_S_MAX,
    ReloadOrder,
    check,
    check_game,
    check_module,
    order_of,
    params_of,
    split_target,
)

GAMES = ["mud", "mud.old", "arcade", "arcade-2"]


@pytest.mark.parametrize(
    ("asked", "advice"),
    [
        ({"watch_s": 60.0}, "--canary 10 --watch 60"),
        ({"canary": 10.0}, "--canary 10 --watch 60"),
        ({"canary": 10.0, "watch_s": 60.0, "dry_run": True}, "Ask for one of them"),
        ({"canary": 0.0, "watch_s": 60.0}, "from 1 to 99"),
        ({"canary": 100.0, "watch_s": 60.0}, "from 1 to 99"),
        ({"canary": -5.0, "watch_s": 60.0}, "from 1 to 99"),
        ({"canary": math.nan, "watch_s": 60.0}, "from 1 to 99"),
        ({"canary": 10.0, "watch_s": 0.0}, "up to 3600 seconds"),
        ({"canary": 10.0, "watch_s": -1.0}, "up to 3600 seconds"),
        ({"canary": 10.0, "watch_s": math.inf}, "up to 3600 seconds"),
        ({"canary": 10.0, "watch_s": math.nan}, "up to 3600 seconds"),
    ],
)
def test_what_contradicts_itself_is_refused_with_what_to_do(asked, advice) -> None:
    """Zero is a number that somebody gave, not an option that they left out."""
    with pytest.raises(ContractError, match=advice):
        check(ReloadOrder(**asked))
    with pytest.raises(ContractError, match=advice):
        order_of(asked)


@given(
    st.builds(
        ReloadOrder,
        atomic=st.booleans(),
        allow_destructive=st.booleans(),
        drop_orphans=st.booleans(),
        canary=st.floats(1, 99),
        watch_s=st.floats(0, WATCH_S_MAX, exclude_min=True),
    )
)
def test_what_makes_sense_goes_over_the_wire_as_it_is(order: ReloadOrder) -> None:
    """The command line's order is the host's."""
    assert order_of(params_of(order)) == order


@pytest.mark.parametrize(
    ("params", "named"),
    [({"atomc": True}, "atomc"), ({"atomic": 1}, "atomic"), ({"game": 3}, "game"), ([], "object")],
)
def test_a_request_with_other_params_is_refused(params, named) -> None:
    """A typing error in a program's request is no reload with fewer wishes."""
    with pytest.raises(ContractError, match=f"{named}.*Nothing was changed"):
        order_of(params)


@pytest.mark.parametrize(
    ("target", "meant"),
    [
        ("mud", ("mud", "")),
        ("mud.talk", ("mud", "talk")),
        ("mud.items.weapons", ("mud", "items.weapons")),
        ("mud.data/creatures.toml", ("mud", "data/creatures.toml")),
        ("mud.old", ("mud.old", "")),
        ("mud.old.talk", ("mud.old", "talk")),
        ("mud.older", ("mud", "older")),
        ("arcade-2.x", ("arcade-2", "x")),
    ],
)
def test_the_longest_game_that_fits_is_meant(target, meant) -> None:
    """A game's id may have dots."""
    assert split_target(target, GAMES) == meant


@pytest.mark.parametrize(("target", "near"), [("mudd", "mud"), ("arcad.shop", "arcade"), ("mid.talk", "mud")])
def test_an_unknown_game_is_answered_with_the_nearest(target, near) -> None:
    """And with all that there are."""
    with pytest.raises(ContractError) as caught:
        split_target(target, GAMES)
    assert f"Did you mean {near}?" in str(caught.value)
    assert "There are arcade, arcade-2, mud, mud.old. Nothing was changed." in str(caught.value)


def test_a_request_names_its_game_wholly() -> None:
    """A program's request is not split at dots."""
    check_game("mud.old", GAMES)
    with pytest.raises(ContractError, match=r"no game 'mud.talk'. Did you mean mud"):
        check_game("mud.talk", GAMES)
    with pytest.raises(ContractError, match=r"Which game\? There are"):
        check_game("", GAMES)


def test_what_is_like_nothing_is_answered_without_a_guess() -> None:
    """A far-fetched suggestion is worse than none."""
    with pytest.raises(ContractError) as caught:
        split_target("xyzzy", GAMES)
    assert "Did you mean" not in str(caught.value)


def test_an_unknown_module_is_answered_with_the_nearest() -> None:
    """The game's own folder has no name to offer; "" is all of the game."""
    known = ["", "talk", "items.weapons", "creatures.toml"]
    check_module("", "mud", known)
    check_module("creatures.toml", "mud", known)
    with pytest.raises(ContractError) as caught:
        check_module("tlak", "mud", known)
    assert str(caught.value) == (
        "mud has no module 'tlak'. Did you mean talk? It has creatures.toml, items.weapons, talk. Nothing was changed."
    )


def test_many_names_are_not_all_listed() -> None:
    """One line stays one line."""
    with pytest.raises(ContractError, match=r"m00, .*m11, …\."):
        check_module("zzz", "mud", [f"m{n:02}" for n in range(50)])
