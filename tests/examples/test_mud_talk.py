"""Channels and who of examples/mud reach into both rooms."""

import pytest


@pytest.fixture
def three(world):
    """Ada and Bob in the town, Cy in the arena."""
    ada, bob, cy = world.join("Ada"), world.join("Bob"), world.join("Cy")
    cy.types("arena")
    return ada, bob, cy


def test_a_channel_is_heard_in_both_rooms_once(three):
    """The speaker, those in the same room and those in the other read the same line, once."""
    ada, _, cy = three
    ada.types("chat Hello, all of you!")
    cy.types("chat Hello up there!")
    for player in three:
        assert [line for line in player.lines if line.startswith("[")] == [
            "[chat] Ada: Hello, all of you!",
            "[chat] Cy: Hello up there!",
        ]


def test_clients_are_told_of_channels(three):
    """Comm.Channel.List when they come, Comm.Channel.Text for what is said, also in private."""
    ada, bob, cy = three
    ada.types("trade apple for spoon", "tell bob psst")
    assert {"name": "chat", "caption": "Chat", "command": "chat"} in bob.gmcp["Comm.Channel.List"]
    heard = [data for package, data in bob.messages if package == "Comm.Channel.Text"]
    assert heard == [
        {"channel": "trade", "talker": "Ada", "text": "apple for spoon"},
        {"channel": "tell", "talker": "Ada", "text": "psst"},
    ]
    assert cy.gmcp["Comm.Channel.Text"] == heard[0]


def test_a_channel_that_is_off_is_silent_in_both_rooms(perdure, world, three):
    """The switch travels with the character, survives a crash, and says who cannot be heard either."""
    ada, bob, cy = three
    bob.types("channels chat off", "arena")
    world.crash()
    perdure.rooms["arena"].crash()
    ada.types("chat Is anybody out there?")
    assert not any("out there" in line for line in bob.lines)
    assert cy.sees("out there")
    bob.types("chat Yes!", "channels")
    assert bob.sees("You have switched chat off. To hear and be heard: channels chat on")
    assert bob.sees("Channels: chat is off, trade is on.")
    bob.types("out", "channel CHAT ON", "chat Yes!")
    assert ada.sees("[chat] Bob: Yes!")


@pytest.mark.parametrize("typed", ["channels chat", "channels chat aloud", "channels gossip off"])
def test_mistakes_with_channels_change_nothing(world, typed):
    """They are answered with what is right."""
    ada = world.join("Ada")
    ada.types(typed)
    assert any("each can be switched on or off" in line or "Usage: channels" in line for line in ada.lines)
    assert not list(world["channels"].quiet)


def test_who_knows_both_rooms(perdure, world, three):
    """Whoever walks, quits and comes again is where they are, through crashes and however the mail runs (FM-95)."""
    ada, bob, cy = three
    ada.types("who")
    assert ada.sees("2 here in the world: Ada, Bob.\n1 in the arena: Cy.")
    perdure.slow_mail = True
    bob.types("arena")
    world.crash()
    ada.types("who")
    assert ada.sees("1 here in the world: Ada.\n2 in the arena: Bob, Cy.")
    cy.leave()
    bob.types("out", "who")
    assert bob.sees("2 here in the world: Ada, Bob.")
    assert bob.lines[-1].startswith("2 here")
