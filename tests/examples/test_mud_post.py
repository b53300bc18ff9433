"""Mail between players of examples/mud reaches those who are away, and outlives everything."""

import pytest


@pytest.fixture
def two(world):
    """Ada, who is there, and Bob, who was."""
    ada, bob = world.join("Ada"), world.join("Bob")
    bob.leave()
    return ada, bob


def test_a_letter_waits_for_who_is_away(world, two):
    """Its reader is told when they come, reads it once as new, and again as kept."""
    ada, _ = two
    ada.types("mail bob The soup is good today.", "mail bob It was, I mean.")
    assert ada.sees("Your letter to Bob is on its way.")
    world.crash()
    world.advance(2 * 3600)
    bob = world.join("Bob")
    assert bob.sees("You have 2 letters to read. Type: mail")
    bob.types("mail", "mail", "letters")
    assert [line for line in bob.lines if "wrote" in line] == 2 * [
        "Ada wrote 2 hours ago: The soup is good today.",
        "Ada wrote 2 hours ago: It was, I mean.",
    ]
    assert bob.sees("You have no new mail.")
    bob.leave()
    bob = world.join("Bob")
    assert not any("to read" in line for line in bob.lines)


def test_who_is_there_is_told_at_once(world):
    """Wherever they are in the town."""
    ada, bob = world.join("Ada"), world.join("Bob")
    bob.types("north")
    ada.types("mail BOB hello")
    assert bob.sees("A pigeon brings you a letter from Ada. Type: mail")
    bob.types("mail")
    assert bob.sees("Ada wrote just now: hello")


def test_a_letter_that_was_begun_is_finished_after_the_server_is_another(world, two):
    """The question is data: it survives a crash and a new program (FM-88)."""
    ada, _ = two
    ada.types("mail bob")
    assert ada.sees("What do you write to Bob?")
    world.crash()
    world.restart()
    ada.types("look, I am a letter", "look")
    assert ada.sees("Your letter to Bob is on its way.")
    bob = world.join("Bob")
    bob.types("mail")
    assert bob.sees("look, I am a letter")


@pytest.mark.parametrize("nothing", ["", "."])
def test_a_letter_with_nothing_in_it_is_not_sent(world, two, nothing):
    """An empty line, or a dot where a client sends none, leaves the question."""
    ada, _ = two
    ada.types("mail bob", nothing, "coins")
    assert ada.sees("You write nothing.")
    assert ada.sees("You have 10 coins.")
    assert world["post"].unread("bob") == 0


def test_a_box_is_bounded_and_loses_nothing_unread(world, two):
    """What was read makes room; when nothing was, the writer is told, and nothing is thrown away."""
    ada, _ = two
    ada.types("mail bob first")
    bob = world.join("Bob")
    bob.types("mail")
    ada.types(*(f"mail bob {number}" for number in range(19)), "mail bob", "the last that fits", "mail bob too much")
    assert ada.sees("The box of Bob is full: there are 20 letters to read in it.")
    bob.types("mail")
    letters = [letter.text for letter in world["post"].boxes.peek("bob").letters]
    assert letters == [*map(str, range(19)), "the last that fits"]


def test_a_box_that_fills_up_while_one_writes_says_so(world, two):
    """The writer is not held in the question."""
    ada, bob = two[0], world.join("Bob")
    ada.types("mail bob")
    bob.types(*(f"mail bob {number}" for number in range(20)))
    ada.types("too late", "coins")
    assert ada.sees("The box of Bob is full")
    assert ada.sees("You have 10 coins.")


def test_a_letter_that_is_too_long_is_not_cut(world, two):
    """It is refused, with the numbers."""
    two[0].types("mail bob " + "x" * 1001, "mail bob", "x" * 1001, "coins")
    assert two[0].sees("A letter has 1000 characters at most, and this has 1001. It was not sent.")
    assert two[0].sees("You have 10 coins.")
    assert world["post"].unread("bob") == 0


def test_mail_stays_in_the_town(perdure, world, two):
    """In the arena it says where it waits; a name that was never seen gets none."""
    ada, _ = two
    ada.types("mail zed hello", "arena", "mail", "mail bob hello")
    assert ada.sees("There is no zed to write to.")
    assert ada.sees("The post does not come down here. It waits for you in the town.")
    assert not list(perdure.rooms["arena"]["post"].boxes)


def test_a_name_is_written_to_without_its_accents(world, two):
    """If it is one person's; the name as it was typed comes first, and two that fit are a question."""
    ada, _ = two
    world.join("Zo\u00eb").leave()
    ada.types("mail zoe first")
    world.join("Zo\u00e9").leave()
    ada.types("mail ZOE second")
    assert ada.sees("Whom do you mean: Zo\u00eb, Zo\u00e9?")
    world.join("Zoe").leave()
    ada.types("mail zoe third")
    assert [world["post"].unread(id) for id in ("zo\u00eb", "zo\u00e9", "zoe")] == [1, 0, 1]


def test_a_name_that_is_somebody_elses_now_brings_no_old_letters(world, two):
    """Guests' names are used again, and nobody reads what was not for them."""
    ada, _ = two
    ada.types("mail bob for the old Bob's eyes only")
    world["post"].addresses["bob"].id = "guest:1"
    world["post"].boxes["guest:1"] = world["post"].boxes.pop("bob")
    bob = world.join("Bob")
    bob.types("mail", "letters")
    assert bob.sees("You have no new mail.")
    assert bob.sees("You have kept no letters.")
    assert "guest:1" not in world["post"].boxes
