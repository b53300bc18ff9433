"""The map of examples/mud: every place can be walked to, and back."""

from collections.abc import Mapping
from typing import Any

import pytest

from perdure.config import load
from perdure.errors import GameError
from tests.examples.conftest import MUD

OPPOSITE = {"north": "south", "east": "west", "up": "down"}
OPPOSITE |= {back: way for way, back in OPPOSITE.items()}


@pytest.fixture
def places(world) -> Mapping[str, Any]:
    """The map."""
    found: Mapping[str, Any] = world.program._modules["places"].PLACES
    return found


def ways(places, come_from):
    """From every place to every other, as the words of the exits along a way."""
    found: dict[str, list[str]] = {come_from: []}
    for place in (queue := [come_from]):
        for way, to in places[place].exits.items():
            if to not in found:
                found[to] = [*found[place], way]
                queue.append(to)
    return found


def test_every_place_can_be_walked_to(world, places):
    """By the words of its exits alone, from the square, in either room; and its title and text are shown."""
    for place, way in ways(places, "square").items():
        ada = world.join("Ada")
        ada.types(*way)
        assert ada.sees(places[place].title)
        assert ada.sees(places[place].text)
        assert ada.gmcp["Room.Info"]["num"] == places[place].num
        ada.types(*ways(places, place)["square"])
        assert ada.gmcp["Room.Info"]["num"] == places["square"].num
        ada.leave()
    assert len(places) >= 12


def test_every_way_leads_back_or_says_that_it_does_not(places):
    """North and south, up and down are each other's way back; other exits come back somehow, or are marked."""
    for name, place in places.items():
        for way, to in place.exits.items():
            back = [word for word, home in places[to].exits.items() if home == name]
            if way in place.oneway:
                assert not back, f"{name} says that {way} is one way, and {to} leads back"
            elif way in OPPOSITE:
                assert OPPOSITE[way] in back, f"{way} of {name} leads to {to}, and {OPPOSITE[way]} does not lead back"
            else:
                assert back, f"there is no way back from {to} to {name}"
        assert set(place.oneway) <= set(place.exits)


def test_a_way_without_return_says_so(world):
    """Those who jump are told before, and land at the quay."""
    ada = world.join("Ada")
    ada.types("north", "up", "south", "west")
    assert ada.sees("Exits: east, jump (one way).")
    ada.types("jump")
    assert ada.sees("The Quay")


def test_the_numbers_of_places_never_change(places):
    """Clients have drawn their maps by them: a place that is there keeps its number, a new one gets a new one."""
    known = ["square", "inn", "shop", "mill", "bridge", "tollhouse", "meadow", "allotments", "oak", "crown"]
    known += ["highbridge", "attic", "longbridge", "cellar", "drain", "quay", "barge", "ropewalk", "weir"]
    known += ["sand", "benches", "pens"]
    assert {name: place.num for name, place in places.items()} == {name: n for n, name in enumerate(known, 1)}


def test_texts_are_single_lines(places):
    """The server wraps them to each player's window; a line end in them would be one in all windows."""
    for place in places.values():
        assert "\n" not in place.text
        assert "  " not in place.text


def test_a_map_that_leads_nowhere_is_not_loaded(perdure, tmp_path):
    """A mistake in it is found when it is saved; whoever plays goes on with the map that is good."""
    for file in MUD.glob("*.*"):
        text = file.read_text()
        (tmp_path / file.name).write_text(text.replace('west = "barge"', 'west = "barque"'))
    with pytest.raises(GameError, match="barque"):
        perdure.room(tmp_path, "world")


def test_the_configuration_names_the_rooms_of_the_map(places):
    """The places' rooms are the configured ones, and players begin at home."""
    config = load(MUD.parent)
    assert {place.room for place in places.values()} == set(config.rooms)
    assert config.login.room == places["square"].room == "world"
    assert set(config.copyover.locks) == {"fights"}
