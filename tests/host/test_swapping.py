"""Other code for running rooms of a host: when they take it, what waits, and who holds which code."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from perdure.errors import SchemaError
from perdure.host.running import Next, Swapped
from perdure.room.tables import Row, TableSpec
from tests.host.hosting import ANN, BOB, DIARY, Gate, Life, Toy, World, began


def other(world: World, generation: str = "2") -> Toy:
    """Other code, stored under its generation."""
    toy = world.others[generation] = Toy(world.toy.lifecycle)
    toy.generation = generation
    return toy


def offer(life: Life, toy: Toy) -> Swapped | None:
    """Offer code to the hall."""
    swapped: Swapped | None = life.call(life.host.swapping.offer, life.running(), Next(toy, False, False))
    return swapped


def test_a_swap_takes_no_input_and_shows_nothing(tmp_path: Path) -> None:
    """What players typed before and after is applied once and in order, by the old code and the new."""
    world = World(tmp_path)
    life, gateway = began(world)
    gateway.type("before")
    c = life.running().room.c
    assert offer(life, other(world)) is not None
    assert (life.running().room.c, life.running().program.generation) == (c + 1, "2")
    gateway.type("after")
    life.until(lambda: not gateway.unacknowledged)
    assert gateway.read[ANN][-2:] == ["before", "after"]
    life.crash()


def test_a_recovered_room_goes_on_with_the_code_that_ran_last(tmp_path: Path) -> None:
    """Whatever serves meanwhile: the swap is in the room's history (kill -9 while a file is half edited)."""
    world = World(tmp_path)
    life, gateway = began(world)
    offer(life, other(world))
    gateway.type("new code")
    life.until(lambda: not gateway.unacknowledged)
    life.crash()
    with world.life() as life:
        assert life.running().program is world.others["2"]
        assert "new code" in life.diary()
        life.pass_until(lambda: life.running().based)
        life.stop()
    with world.life() as life:
        assert life.running().program is world.others["2"], "the base says it, too"


def test_a_paused_room_takes_the_code_when_it_goes_on(tmp_path: Path) -> None:
    """An operator's pause holds everything; what is typed meanwhile is for the old code or the new, once."""
    world = World(tmp_path)
    life, gateway = began(world)
    life.operators.pause("hall")
    gateway.type("held")
    assert offer(life, other(world)) is None
    assert life.running().listing()["update_waits"]
    life.call(life.operators.go_on, "hall")
    life.until(lambda: not gateway.unacknowledged)
    assert life.running().program.generation == "2"
    assert life.diary().count("held") == 1
    assert "room-reloaded" in life.kinds()
    life.crash()


@pytest.mark.parametrize("update", ["idle", "match"])
def test_a_room_with_players_takes_the_code_when_its_game_lets_it(
    tmp_path: Path, update: Literal["idle", "match"]
) -> None:
    """idle: when the last has left. match: when the game says that a match is over, or nobody is there."""
    world = World(tmp_path, update=update)
    life, gateway = began(world)
    assert offer(life, other(world)) is None
    gateway.type("still the old")
    assert life.running().program is world.toy
    gateway.type("over")
    assert (life.running().program is world.toy) == (update == "idle")
    gateway.leave()
    life.until(lambda: life.running().program.generation == "2")
    life.crash()


def test_newer_code_replaces_what_waits(tmp_path: Path) -> None:
    """And what was waiting is let go of."""
    world = World(tmp_path, update="idle")
    life, gateway = began(world)
    second, third = other(world, "2"), other(world, "3")
    assert offer(life, second) is None
    assert second.uses == 1
    assert offer(life, third) is None
    assert (second.uses, third.uses) == (0, 1)
    gateway.leave()
    life.until(lambda: life.running().program is third)
    assert third.uses == 1
    assert world.toy.uses == 0
    life.crash()


class Numbered(Row):
    """A diary of another kind."""

    lines: int = 0


def test_code_that_cannot_read_the_rows_is_refused(tmp_path: Path) -> None:
    """The room goes on as it was, with the code that it has (P2)."""
    world = World(tmp_path)
    life, gateway = began(world)
    wrong = other(world)
    wrong.tables = {DIARY.name: TableSpec(DIARY.name, Numbered)}
    before = life.running().room.state_hash(), life.running().room.c
    with pytest.raises(SchemaError, match=r"toy\.diary"):
        life.host.swapping.offer(life.running(), Next(wrong, False, False))
    assert (life.running().room.state_hash(), life.running().room.c) == before
    assert (life.running().program, wrong.uses) == (world.toy, 0)
    gateway.type("on it goes")
    life.until(lambda: "on it goes" in life.diary())
    life.crash()


def test_code_that_waits_and_cannot_read_the_rows_is_told(tmp_path: Path) -> None:
    """Nobody waits for its report any more, so it is an event."""
    world = World(tmp_path, update="idle")
    life, gateway = began(world)
    wrong = other(world)
    wrong.tables = {DIARY.name: TableSpec(DIARY.name, Numbered)}
    offer(life, wrong)
    gateway.leave()
    life.until(lambda: "room-not-reloaded" in life.kinds())
    assert life.running().program is world.toy
    assert wrong.uses == 0
    life.crash()


def test_an_answer_whose_handler_is_gone_waits_for_its_return(tmp_path: Path) -> None:
    """It is not lost, and nothing faults."""
    world = World(tmp_path)
    life, gateway = began(world)
    gate = Gate()
    world.toy.functions["slow"] = gate.wait
    gateway.type("ask slow")
    without = other(world, "2")
    without.missing = {"answer"}
    offer(life, without)
    gate.set()
    life.until(lambda: life.running().unanswered)
    offer(life, other(world, "3"))
    life.until(lambda: "answer ok True" in life.diary())
    assert not life.running().unanswered
    assert "fault" not in life.kinds()
    life.crash()


def test_a_function_that_runs_finishes_on_its_own_code(tmp_path: Path) -> None:
    """Its code stays loaded until it returns, also when nobody waits for the answer; the new code gets it (FM-48)."""
    world = World(tmp_path)
    life, gateway = began(world)
    gate = Gate()
    world.toy.functions["slow"] = gate.wait
    gateway.type("ask slow")
    life.until(lambda: world.toy.uses > 1)
    offer(life, other(world))
    assert world.toy.uses > 0
    life.pass_until(lambda: "answer timeout None" in life.diary())
    assert world.toy.uses > 0, "it still runs"
    gate.set()
    life.until(lambda: world.toy.uses == 0)
    life.crash()


def test_a_part_that_is_new_to_a_running_room_gets_its_start(tmp_path: Path) -> None:
    """As a callback of its own, whose fault does not put the room aside."""
    world = World(tmp_path)
    life, gateway = began(world)
    new = other(world)
    new.added = new.broken = True
    offer(life, new)
    assert "fault" in life.kinds()
    assert life.running().room.started
    gateway.type("on it goes")
    life.until(lambda: "on it goes" in life.diary())
    third = other(world, "3")
    third.added = True
    offer(life, third)
    assert life.diary()[-1] == "start"
    life.crash()


def test_a_room_that_ends_lets_go_of_its_code(tmp_path: Path) -> None:
    """Discarded or put aside: no generation is kept for a room that does not run."""
    world = World(tmp_path, {"hall": "toy", "yard": "toy"}, update="idle")
    life, gateway = began(world)
    gateway.join(BOB, "yard")
    assert world.toy.uses == 2
    second = other(world)
    offer(life, second)
    life.operators.discard("hall")
    assert (world.toy.uses, second.uses) == (2, 0), "it begins anew with what serves"
    life.crash()
