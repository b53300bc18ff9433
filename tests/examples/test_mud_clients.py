"""What clients of examples/mud are given beside the text, and what those read who listen."""

import pytest

from perdure.testing import Perdure


def at(world, word):
    """Let the time pass until it is this time of day."""
    sky = world.program._modules["sky"]
    for _ in range(40):
        if sky.time_of_day(world._perdure.clock_us / 1_000_000) == word:
            return
        world.advance(120)
    pytest.fail(f"it never is {word}")


# --- prompt and weather ---


def test_the_prompt_tells_health_and_time_of_day(world):
    """It changes with both, and has each time of day once around the clock."""
    ada = world.join("Ada")
    for word in ("night", "dawn", "morning", "noon", "afternoon", "dusk", "evening", "night"):
        at(world, word)
        ada.types("coins")
        assert ada.prompt == f"<20hp {word}> "
    world["combat"].health["ada"].hp = 3
    ada.types("hp")
    assert ada.prompt == "<3hp night> "


def test_the_prompt_is_there_in_both_rooms(world):
    """And comes with the character."""
    ada = world.join("Ada")
    ada.types("arena")
    assert ada.prompt.startswith("<20hp ")


def test_weather_is_told_outdoors_only_and_in_one_line(perdure: Perdure, world):
    """It changes by itself, whatever crashes; those indoors, or in the arena, read nothing of it."""
    ada, bob, cy = world.join("Ada"), world.join("Bob"), world.join("Cy")
    bob.types("north", "tutorial stop")
    cy.types("arena")
    seen, kinds = (len(ada.lines), len(bob.lines), len(cy.lines)), set()
    for _ in range(40):
        world.advance(360)
        world.crash()
        kinds.add(world["sky"].kind())
    comes = {kind.comes for kind in world.program._modules["sky"].WEATHER.values()}
    told = [line for line in ada.lines[seen[0] :] if line in comes]
    assert len(kinds) >= 4
    assert 5 < len(told) <= 40
    assert not comes & set(bob.lines)
    assert not comes & set(cy.lines)


def test_weather_can_be_looked_at(world):
    """It stands below the place, and answers to its name; indoors there is only the time."""
    ada = world.join("Ada")
    world.advance(360)
    at(world, "dusk")
    world["sky"].weather["now"].kind = "rain"
    ada.types("look")
    ada.types("weather", "north", "time")
    assert ada.lines.count("It rains. The gutters pass it on.") == 1
    assert ada.sees("It is dusk. It rains. The gutters pass it on.")
    assert ada.sees("It is dusk. You are indoors.")


# --- another client ---


def test_who_logs_in_again_is_shown_where_they_are_and_nobody_else_notices(world, perdure):
    """An empty window says nothing of the place; the tutorial and the neighbours have seen nothing (FM-7)."""
    ada, bob = world.join("Ada"), world.join("Bob")
    for place in ("The Square", "The Arena"):
        seen, others = len(ada.lines), len(bob.lines)
        ada.rejoins()
        assert ada.lines[seen] == place
        assert any(line.startswith("Exits: ") for line in ada.lines[seen:])
        assert ada.messages[-1][0] == "Comm.Channel.List"
        assert bob.lines[others:] == []
        ada.types("arena")


# --- GMCP ---


def test_a_client_knows_the_place(world):
    """Room.Info has a stable number, and those of the places behind the exits, which are abbreviated as usual."""
    ada = world.join("Ada")
    assert ada.gmcp["Room.Info"] == {
        "num": 1,
        "name": "The Square",
        "area": "Underbridge",
        "environment": "street",
        "exits": {"n": 2, "e": 3, "s": 4, "w": 5, "arena": 20},
    }
    ada.types("arena")
    assert ada.gmcp["Room.Info"]["area"] == "The Arena"
    assert ada.gmcp["Room.Info"]["exits"] == {"out": 1, "u": 21, "n": 22}


def test_a_client_knows_who_is_there(world):
    """Room.Players follows whoever comes, walks, goes down, quits, or is carried away."""

    def there(player):
        return {other["name"] for other in player.gmcp["Room.Players"]}

    ada, bob = world.join("Ada"), world.join("Bob")
    assert there(ada) == there(bob) == {"Ada", "Bob"}
    bob.types("north")
    assert (there(ada), there(bob)) == ({"Ada"}, {"Bob"})
    bob.types("south", "arena")
    assert (there(ada), there(bob)) == ({"Ada"}, {"Bob"})
    bob.types("out")
    assert there(ada) == {"Ada", "Bob"}
    bob.leave()
    assert there(ada) == {"Ada"}


def test_a_client_knows_how_its_player_is(perdure: Perdure, world):
    """Char.Vitals and Char.Status, in both rooms, as they change."""
    ada = world.join("Ada")
    assert ada.gmcp["Char.Vitals"] == {"hp": 20, "maxhp": 20}
    assert ada.gmcp["Char.Status"] == {"name": "Ada", "coins": 10, "fighting": ""}
    ada.types("east", "buy apple")
    assert ada.gmcp["Char.Status"]["coins"] == 8
    ada.types("west", "arena")
    perdure.rooms["arena"]["creatures"].alive["bear"].place = "sand"
    ada.types("attack bear")
    assert ada.gmcp["Char.Status"]["fighting"] == "bear"
    perdure.advance(2.5)
    assert ada.gmcp["Char.Vitals"]["hp"] < 20


def test_a_word_to_many_costs_no_more_than_their_number(world):
    """Who is there is sent when somebody comes or goes, not with each word that is said."""
    crowd = [world.join(f"P{number}") for number in range(60)]
    assert len(crowd[0].gmcp["Room.Players"]) == 50
    before = [len(player.messages) for player in crowd]
    crowd[0].types("say hello")
    assert [len(player.messages) for player in crowd] == before


# --- those who listen ---


def test_who_listens_reads_one_item_per_line(world):
    """Exits with where they lead, things, people, channels; each on a line of its own, without signs."""
    square = world.program._modules["places"].PLACES["square"]
    ada, bob = world.join("Ada", screenreader=True), world.join("Bob")
    bob.types("drop apple")
    start = len(ada.lines)
    ada.types("look", "inventory", "who", "channels")
    assert ada.lines[start : start + 11] == [
        "The Square",
        square.text,
        "Exits:",
        "north to The Leaking Ladle",
        "east to Odds & Ends",
        "south to The Mill",
        "west to The Low Bridge",
        "arena to The Arena",
        "Bob is here.",
        "On the ground:",
        "an apple",
    ]
    assert ada.sees("You carry:\nan apple")
    assert ada.sees("2 here in the world:\nAda\nBob")
    assert ada.sees("Channels:\nchat is on\ntrade is on")
    assert ada.prompt == "20 hp "


def test_who_listens_is_not_told_of_weather_unasked(world):
    """It waits until they look."""
    ada = world.join("Ada", screenreader=True)
    for _ in range(40):
        world.advance(360)
    assert not {kind.comes for kind in world.program._modules["sky"].WEATHER.values()} & set(ada.lines)
    world["sky"].weather["now"].kind = "storm"
    ada.types("look")
    assert ada.sees("It pours")


def test_nothing_is_drawn_for_who_listens(world):
    """No line of what they are shown has brackets, bars or rows of signs for decoration."""
    ada = world.join("Ada", screenreader=True)
    ada.types("look", "north", "who", "inventory", "weather", "channels", "chat hi", "mail", "letters", "hp", "list")
    for line in ada.lines:
        assert not set(line) & set("<>|_=*~#{}\\"), line
