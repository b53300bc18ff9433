"""examples/mud plays as promised, and its characters survive everything."""

import msgspec
import pytest


def test_speech_is_worded_as_promised(world):
    """The speaker and the others each read the fixed wording; those elsewhere read nothing."""
    ada, bob, cy = world.join("Ada"), world.join("Bob"), world.join("Cy")
    cy.types("north")
    ada.types("say Hello,  you!", "'there")
    assert ada.sees('You say, "Hello,  you!"')
    assert bob.sees('Ada says, "Hello,  you!"')
    assert bob.sees('Ada says, "there"')
    assert not any("Ada says" in line for line in cy.lines)


def test_every_command_of_the_town_answers(world):
    """look, go, tell, reply, emote, who, help, inventory, get, drop, give, eat, list, buy, sell, pay, attack."""
    ada, bob = world.join("Ada"), world.join("Bob")
    ada.types("look", "tell bob psst", "emote yawns.", ":bows.", "who", "help", "help say", "i")
    assert bob.sees('Ada tells you, "psst"')
    assert bob.sees("Ada yawns.")
    assert bob.sees("Ada bows.")
    assert ada.sees("2 here in the world: Ada, Bob.")
    assert ada.sees("give ITEM to WHOM")
    assert ada.sees("You carry an apple.")
    bob.types("reply what?")
    assert ada.sees('Bob tells you, "what?"')
    ada.types("drop apple", "get apple", "give apple to bob", "i", "pay 3 to bob", "coins")
    assert ada.sees("You carry nothing.")
    assert ada.sees("You have 7 coins.")
    bob.types("inventory", "coins", "e", "list", "buy sword", "sell apple", "i", "eat sword")
    assert bob.sees("You carry 2 apples.")
    assert bob.sees("You have 13 coins.")
    assert bob.sees("You carry an apple, a rusty sword.")
    assert bob.sees("It is still a rusty sword.")


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("lok", "Huh? Did you mean 'look'?"),
        ("qwertzuiop", "Huh? Type 'help' for what you can do."),
        ("give apple", "Usage: give ITEM to WHOM"),
        ("give apple to zed", "Nobody called zed is here. Usage: give ITEM to WHOM"),
        ("pay many to ada", 'COUNT is a whole number, and "many" is not. Usage: pay COUNT to WHOM'),
        ("pay -5 to ada", "Nothing changes hands."),
        ("buy apple", "The shop is in the world, east of the square."),
        ("go sideways", "There is no way sideways from here."),
        ("up", "There is no way up from here."),
        ("attack bear", "There is no bear here."),
    ],
)
def test_mistakes_of_players_are_answered_in_their_words(world, typed, answer):
    """No input of a player is a fault of the game."""
    ada = world.join("Ada")
    ada.types(typed)
    assert ada.sees(answer)


def test_only_who_is_there_is_paid(world):
    """The payer is told why nothing changes hands, and keeps the coins."""
    ada, bob = world.join("Ada"), world.join("Bob")
    bob.types("north")
    ada.types("pay 3 to bob", "coins")
    assert ada.sees("Bob is not with you.")
    assert ada.sees("You have 10 coins.")


def test_a_purchase_that_is_too_dear_changes_nothing(world):
    """A refusal undoes the whole command, the shelf included."""
    ada = world.join("Ada")
    ada.types("east")
    stock = world["shop"].stock.peek("rusty sword").count
    ada.types("buy sword")
    assert ada.sees("That takes 12 coins, and you have 10.")
    assert world["shop"].stock.peek("rusty sword").count == stock
    assert world["shop"].purses.peek(ada.id).coins == 10


@pytest.mark.parametrize("slow_mail", [False, True])
def test_a_character_travels_whole_whichever_arrives_first(perdure, world, slow_mail):
    """Things, coins and health are in the room where the player is, once (FM-95)."""
    perdure.slow_mail = slow_mail
    ada, bob = world.join("Ada"), world.join("Bob")
    ada.types("arena", "i", "coins", "say anybody?", "who")
    assert ada.room == "arena"
    assert ada.sees("You carry an apple.")
    assert ada.sees("You have 10 coins.")
    assert ada.sees("1 here in the arena: Ada.")
    assert bob.sees("Ada leaves: arena.")
    assert not world["items"].at("@ada")
    ada.types("out", "i")
    assert ada.room == "world"
    assert not perdure.rooms["arena"]["items"].at("@ada")
    assert [item.kind for _, item in world["items"].at("@ada")] == ["apple"]
    assert not list(world["mud"].away)


@pytest.mark.parametrize("reason", ["quit", "stop", "link-dead"])
def test_those_around_read_of_a_leaver_who_does_not(world, reason):
    """Whoever goes has their goodbye from the server."""
    ada, bob = world.join("Ada"), world.join("Bob")
    ada.leave(reason)
    assert bob.lines[-1] == "Ada fades away."
    assert not any("fades away" in line for line in ada.lines)


def test_whoever_quits_in_the_arena_logs_in_to_the_arena(perdure, world):
    """The world knows where it sent a character, and sends the player after it."""
    ada = world.join("Ada")
    ada.types("arena", "up")
    ada.leave()
    ada = world.join("Ada")
    assert ada.room == "arena"
    assert ada.sees("The Benches")


def test_characters_survive_a_crash_and_a_restart(perdure, world):
    """Place, things, coins and the fight go on where they were (FM-88)."""
    perdure.rooms["arena"].crash()
    ada = world.join("Ada")
    ada.types("south", "east", "get apple", "attack goose")
    world.crash()
    perdure.advance(3)
    assert ada.sees("You hit the goose")
    world.restart()
    ada.types("i")
    assert ada.sees("You carry 2 apples.")
    ada.leave()
    ada = world.join("Ada")
    assert ada.sees("The Meadow")


def test_creatures_walk_about_and_come_back(world):
    """Timers are data: creatures go on wandering after any number of restarts (FM-24, FM-88)."""
    places = set()
    for _ in range(30):
        world.advance(30)
        world.restart()
        places.add(world["creatures"].alive.peek("goose").place)
    assert len(places) > 2


def test_the_bear_can_be_beaten_or_not(perdure, world):
    """A fight ends: with a medal on the sand, or with its loser on the benches."""
    ada = world.join("Ada")
    ada.types("arena")
    for _ in range(20):
        if any("bear is dead" in line or "dark" in line for line in ada.lines):
            break
        perdure.rooms["arena"]["creatures"].alive["bear"].place = "sand"
        ada.types("attack bear")
        perdure.advance(2.5)
    else:
        pytest.fail("nobody won")
    perdure.advance(200)
    assert perdure.rooms["arena"]["creatures"].alive.peek("bear")


def test_a_fight_is_fought_out_before_the_server_is_replaced(world):
    """It is in the way for a few rounds; shortly before, nobody begins one."""
    assert world.vetoes() == []
    ada = world.join("Ada")
    world["creatures"].alive["goose"].place = "square"
    ada.types("attack goose")
    (veto,) = world.vetoes()
    assert (veto.module, veto.reason, veto.for_s) == ("combat", "a fight is going on in the world", 10.0)
    world.lock("fights", "No new fights: the server is renewed in a moment.")
    bob = world.join("Bob")
    world["creatures"].alive["goose"].place = "square"
    bob.types("attack goose")
    assert bob.sees("No new fights")
    for _ in range(40):
        world.advance(2.5)
    assert world.vetoes() == []


RELEASED: dict[tuple[str, str], dict[str, object]] = {
    ("places", "Person"): {"place": "inn"},
    ("items", "Item"): {"kind": "apple", "where": "@ada"},
    ("items", "Count"): {"made": 7},
    ("creatures", "Creature"): {"place": "meadow", "hp": 6},
    ("combat", "Health"): {"hp": 11},
    ("combat", "Fight"): {"breed": "goose", "timer": "4"},
    ("shop", "Purse"): {"coins": 3},
    ("shop", "Stock"): {"count": 4},
    ("talk", "LastHeard"): {"teller": "bob"},
    ("game", "Away"): {"room": "arena"},
    ("game", "Luggage"): {"player": "ada", "place": "sand", "hp": 9, "coins": 2, "things": ["apple"]},
}
"""What the first release stored and mailed."""


@pytest.mark.parametrize(("module", "name"), RELEASED)
def test_what_the_first_release_stored_still_fits(world, module, name):
    """Its rows and its mail are read as they are: servers that run the example since then just go on (FM-46)."""
    kind = getattr(world.program._modules[module], name)
    row = msgspec.to_builtins(msgspec.convert(RELEASED[module, name], kind))
    assert {field: row[field] for field in RELEASED[module, name]} == RELEASED[module, name]
