"""The tutorial of examples/mud: it goes on by what is done, and stands in nobody's way."""

import pytest

DEEDS = ("look", "north", "say Hello!", "inventory", "drop apple", "south", "east", "list", "channels")


def heron(player):
    """What the heron has said."""
    return [line for line in player.lines if line.startswith("The heron:")]


def test_a_newcomer_is_shown_around(world):
    """Each step comes when the one before was done, once, in any number of sessions and crashes."""
    ada = world.join("Ada")
    assert ada.sees("It can be sent away: tutorial stop")
    said = len(heron(ada))
    for deed in DEEDS:
        ada.types(deed)
        world.crash()
        said += deed not in ("south", "east")
        assert len(heron(ada)) == said, f"after {deed}"
    assert "That was all I know." in heron(ada)[-1]
    assert not list(world["tutorial"].lessons)
    ada.types(*DEEDS)
    assert len(heron(ada)) == said


def test_it_can_be_done_as_the_heron_says(world):
    """Whoever types just what they are told comes to the end; what is told can be clicked, too."""
    ada = world.join("Ada")
    for told in ("look", "north", "say Hello!", "inventory", "drop apple"):
        assert heron(ada)[-1].endswith(f": {told}")
        ada.types(told)
    ada.types("south", "east", "list", "channels")
    assert "That was all" in heron(ada)[-1]


def test_it_takes_three_minutes_to_read(world):
    """All of it, at 180 words a minute, leaves half of the time for doing."""
    ada = world.join("Ada")
    ada.types(*DEEDS)
    assert sum(len(line.split()) for line in heron(ada)) < 270


def test_it_can_be_stopped_and_taken_up_again(world):
    """One command ends it; another goes on where it was; a third leaves out a step."""
    ada = world.join("Ada")
    ada.types("look", "tutorial stop", "north", "say hi")
    assert len(heron(ada)) == 2
    assert ada.sees("To call it back: tutorial")
    ada.leave()
    ada = world.join("Ada")
    ada.types("south", "tutorial", "tutorial next")
    assert heron(ada) == [line for line in heron(ada) if "ways out" in line or "Say something" in line]
    ada.types("say hi")
    assert len(heron(ada)) == 3


def test_it_waits_for_nobody_and_nobody_for_it(world):
    """All commands work at every step, in any order; what a step asks for may have become impossible."""
    ada = world.join("Ada")
    ada.types("eat apple", "say hi", "north", "look", "go south")
    ada.types("say hi", "inventory", "drop apple")
    assert ada.sees("You have no apple.")
    ada.types("tutorial next")
    assert "The shop is east" in heron(ada)[-1]


def test_it_stays_above_ground(world):
    """In the arena the heron says nothing, and is still there afterwards."""
    ada = world.join("Ada")
    ada.types("arena", "look", "tutorial", "out", "look")
    assert ada.sees("The heron does not go down there. It waits in the town.")
    assert len(heron(ada)) == 2


@pytest.mark.parametrize("typed", ["tutorial", "tutorial next"])
def test_who_has_seen_it_may_see_it_again(world, typed):
    """And who came before there was one, at any time."""
    ada = world.join("Ada")
    ada.types(*DEEDS, typed)
    assert any(text in heron(ada)[-1] for text in ("You are new", "ways out"))
