"""Styled text: functions from text to text, whose marks a gateway understands."""

import pytest

from perdure import Game, Player, bold, color, command, linked, unaccented
from perdure.errors import GameError
from perdure.markup import LINKS
from perdure.testing import Perdure


class Street(Game):
    @command("look")
    def look(self, player: Player) -> None:
        player.tell(f"A {bold('street')} with a {linked('door', send='open door')}, {color('red', 'red')}.")


def test_a_link_reads_as_its_text(perdure: Perdure) -> None:
    """Where links cannot be shown, and in tests."""
    ada = perdure.room(Street).join("Ada")
    ada.types("look")
    assert ada.sees("A street with a door, red.")


def test_a_link_carries_what_is_sent() -> None:
    """Between marks that no text of a player's can hold."""
    found = LINKS.fullmatch(linked(bold("door"), send="open door"))
    assert found is not None
    assert (found[1], found[2]) == ("open door", bold("door"))


@pytest.mark.parametrize(
    ("text", "send"), [("", "x"), ("x", ""), ("x", "a\nb"), ("a\nb", "x"), (linked("a", "b"), "x")]
)
def test_what_cannot_be_a_link_is_refused(text: str, send: str) -> None:
    """At the author's line."""
    with pytest.raises(GameError, match="cannot be part of a link: it needs one line of text, without another link"):
        linked(text, send)


@pytest.mark.parametrize(
    ("name", "typed"), [("Zoë", "zoe"), ("Straße", "strasse"), ("Žofie Ł", "zofie ł"), ("猫", "猫")]
)
def test_a_name_is_found_by_who_has_no_accents_on_the_keyboard(name: str, typed: str) -> None:
    """What is a letter of its own, as ł is, stays one."""
    assert unaccented(name) == typed
