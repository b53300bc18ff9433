"""What a mistyped word was meant to be."""

import pytest

from perdure.spelling import LIKE_MIN, NAME_LIKE_MIN, meant, unaccented


@pytest.mark.parametrize(("word", "near"), [("loko", "look"), ("look", "look"), ("xyzzy", ""), ("", "")])
def test_the_likest_word_is_meant_or_none(word: str, near: str) -> None:
    """A suggestion that is like nothing is worse than none."""
    assert meant(word, ["look", "lock in", "take"]) == near


def test_names_may_be_less_alike_than_words() -> None:
    """Beside a wrong guess, all the names are listed; beside a wrong word, nothing is."""
    assert NAME_LIKE_MIN < LIKE_MIN
    assert (meant("gate", ["gaol"]), meant("gate", ["gaol"], NAME_LIKE_MIN)) == ("", "gaol")


def test_nothing_is_meant_where_nothing_is_known() -> None:
    """No game, no module: the message says so by itself."""
    assert meant("mud", []) == ""


@pytest.mark.parametrize(
    ("name", "typed"), [("José", "jose"), ("Zoe\u0308", "zoe"), ("Straße", "strasse"), ("Ada", "ada")]
)
def test_a_name_is_typed_without_its_accents(name: str, typed: str) -> None:
    """However they are written; letters that are none of the keyboard's stay."""
    assert unaccented(name) == typed
    assert unaccented("Ωμέγα") == "ωμεγα"
