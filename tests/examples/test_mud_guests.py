"""Guests of examples/mud never come back, and leave nothing behind."""

import pytest


def sizes(perdure):
    """How many rows each table of each room has."""
    return {(id, name): len(table) for id, room in perdure.rooms.items() for name, table in room.machine.tables.items()}


def test_fifty_guests_come_and_go_and_no_table_grows(perdure, world):
    """Whatever they did, wherever they went, and from wherever they left."""
    ada = world.join("Ada")
    before: dict[tuple[str, str], int] = {}
    for number in range(50):
        guest, other = world.join("Guest1", guest=True), world.join("Guest2", guest=True)
        other.types("tell guest1 psst", "mail guest1 A letter.", "channels chat off", "pay 1 to guest1", "arena")
        guest.types("reply psst", "channels trade off", "n", *(["attack cat", "s", "arena"] if number % 2 else ["s"]))
        guest.leave()
        other.types(*["out"] * (number % 3 == 0))
        other.leave("link-dead")
        before = before or sizes(perdure)
    assert sizes(perdure) == before
    ada.types("who", "i")
    assert ada.sees("1 here in the world: Ada.")


def test_a_guest_in_a_fight_is_forgotten_with_it(perdure, world):
    """The timer of the next round goes, too."""
    before, timers = sizes(perdure), len(world.machine.timers)
    guest = world.join("Guest1", guest=True)
    world["creatures"].alive["cat"].place = "square"
    guest.types("attack cat")
    assert len(world.machine.timers) == timers + 1
    guest.leave()
    assert len(world.machine.timers) == timers
    assert sizes(perdure) == before


@pytest.mark.parametrize("slow_mail", [False, True])
def test_a_guest_walks_between_rooms_with_all_they_have(perdure, world, slow_mail):
    """To go to another room is not to go."""
    perdure.slow_mail = slow_mail
    guest = world.join("Guest1", guest=True)
    guest.types("arena", "i", "out", "i")
    assert [line for line in guest.lines if line.startswith("You carry")] == 2 * ["You carry an apple."]


def test_no_letter_is_taken_for_a_guest_who_has_gone(world):
    """Neither by name, nor where it was begun before they went; while they are there it arrives."""
    ada, guest = world.join("Ada"), world.join("Guest1", guest=True)
    ada.types("mail guest1 Hello!", "mail guest1")
    assert ada.sees("Your letter to Guest1 is on its way.")
    guest.leave()
    ada.types("Are you there?", "mail guest1 Hello?")
    assert ada.sees("Guest1 was a guest, and has gone for good. Your letter was not sent.")
    assert ada.sees("There is no guest1 to write to. A guest can be written to until they go.")
    assert "guest1" not in world["post"].addresses
    assert not list(world["post"].boxes)


def test_rows_of_guests_who_went_unseen_are_swept(perdure, world):
    """Those of before, or who quit between two rooms; nobody's who is here, and no account's (FM-88)."""
    ada, guest = world.join("Ada"), world.join("Guest1", guest=True)
    ada.leave()
    perdure.advance(400)
    before, person = sizes(perdure), world["places"].people.peek(ada.id)
    for number in range(60):
        world["places"].people[f"guest:before-{number}"] = person
        world["items"].make("apple", f"@guest:before-{number}")
    guest.types("look")
    perdure.advance(700)
    assert len(world["places"].people) == 12
    world.crash()
    perdure.advance(600)
    assert sizes(perdure) == before
    guest.types("i")
    assert guest.sees("You carry an apple.")
