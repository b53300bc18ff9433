"""Mail between rooms: each letter once, in order, whoever dies and whoever holds it up."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from perdure.config import Game
from perdure.link.messages import EventSent
from perdure.ports import Aside
from perdure.room.record import Input
from tests.host.hosting import ANN, BOB, Died, Faults, Gate, Gateway, Life, World

ROOMS = {"hall": "toy", "yard": "toy"}
POINTS = [
    "host:before-callback", "host:after-callback", "store:append", "host:after-append", "host:after-release",
    "host:mail-durable",
]  # fmt: skip


def begun(world: World, faults: Faults | None = None) -> tuple[Life, Gateway]:
    """Ann in the hall, Bob in the yard."""
    life, gateway = world.life(faults=faults), Gateway()
    gateway.connect(life)
    gateway.join()
    gateway.join(BOB, "yard")
    life.until(lambda: gateway.unacknowledged == 0)
    return life, gateway


def letters(life: Life, room: str = "yard") -> list[str]:
    return [line for line in life.diary(room) if line.startswith("mail hall")]


def pending(life: Life) -> int:
    return sum(len(effects.pending) for effects in life.running("hall").room.effects.values())


@pytest.mark.parametrize("count", range(12))
@pytest.mark.parametrize("point", POINTS)
def test_mail_is_applied_once_and_in_order_wherever_the_host_dies(tmp_path: Path, point: str, count: int) -> None:
    """(H6) Every point of the source's callback, of the target's, and between them."""
    world = World(tmp_path, ROOMS)
    faults = Faults()
    life, gateway = begun(world, faults)
    faults.die_at = point, count
    with suppress(Died):
        gateway.type("mail yard 1", "mail yard 2", "mail yard 3")
    life.crash()
    with world.life() as life:
        gateway.connect(life)
        life.settle()
        assert letters(life) == ["mail hall 1", "mail hall 2", "mail hall 3"]
        assert gateway.read[BOB][1:] == ["mail hall 1", "mail hall 2", "mail hall 3"]
        assert pending(life) == 0
        gateway.type("mail yard 4")
        assert letters(life)[3:] == ["mail hall 4"]


@pytest.mark.parametrize("durability", ["process", "power"])
def test_mail_to_a_paused_room_waits_in_order(tmp_path: Path, durability: str) -> None:
    """It is the source's until the target has it; a crash meanwhile changes nothing."""
    world = World(tmp_path, ROOMS, durability=durability)
    life, gateway = begun(world)
    life.call(life.operators.pause, "yard")
    gateway.type("mail yard 1", "mail yard 2")
    life.until(lambda: gateway.unacknowledged == 0)
    assert (letters(life), pending(life)) == ([], 2)
    life.call(life.operators.go_on, "yard")
    life.until(lambda: pending(life) == 0)
    life.call(life.operators.pause, "yard")
    gateway.type("mail yard 3")
    life.until(lambda: gateway.unacknowledged == 0)
    life.crash()
    with world.life() as life:
        life.until(lambda: pending(life) == 0)
        assert letters(life) == ["mail hall 1", "mail hall 2", "mail hall 3"]


def test_mail_is_not_carried_before_its_record_is_durable(tmp_path: Path) -> None:
    """(H2) Not either when another room comes back meanwhile, and everything unacknowledged is carried again."""
    world = World(tmp_path, {**ROOMS, "void": "toy"}, durability="power")
    gate, faults = Gate(), Faults()
    life, gateway = begun(world, faults)
    with life:
        faults.gates["store:sync"] = gate.wait
        gateway.type("mail yard 1")
        life.call(life.operators.discard, "void")
        assert letters(life) == []
        gate.set()
        life.until(lambda: pending(life) == 0)
        assert letters(life) == ["mail hall 1"]


def test_mail_to_a_room_aside_waits_until_it_is_taken_back(tmp_path: Path) -> None:
    """What was sent while the target did not run is carried before what is sent afterwards."""
    world = World(tmp_path, ROOMS)
    life, gateway = begun(world)
    life.crash()
    owners = world.owners()
    owners.put(Aside("yard", "it killed two hosts", 3, BOB, 1, 1))
    owners.close()
    with world.life() as life:
        gateway.connect(life)
        gateway.type("mail yard 1", "mail yard 2")
        assert pending(life) == 2
        life.call(lambda: life.operators.resume("yard", skip_input=True))
        gateway.type("mail yard 3")
        assert letters(life) == ["mail hall 1", "mail hall 2", "mail hall 3"]
        assert pending(life) == 0


def test_what_its_target_missed_is_not_overtaken_by_a_newer_letter(tmp_path: Path) -> None:
    """The target comes back in the very turn in which a newer letter is posted."""
    world = World(tmp_path, ROOMS)
    life, gateway = begun(world)
    life.crash()
    owners = world.owners()
    owners.put(Aside("yard", "it killed two hosts", 3, BOB, 1, 1))
    owners.close()
    with world.life() as life:
        wire = gateway.connect(life)
        gateway.type("mail yard 1")

        def at_once() -> None:
            life.host.gateways.receive(wire, EventSent("hall", 2, ANN, 1, 2, Input("mail yard 2")))
            life.operators.resume("yard", skip_input=True)

        life.call(at_once)
        assert letters(life) == ["mail hall 1", "mail hall 2"]


def test_mail_goes_on_after_its_target_was_discarded(tmp_path: Path) -> None:
    """(FM-94) The new state knows nothing of the letters that the old one had acknowledged."""
    world = World(tmp_path, ROOMS)
    life, gateway = begun(world)
    with life:
        gateway.type("mail yard 1", "mail yard 2")
        life.call(life.operators.discard, "yard")
        gateway.type("mail yard 3")
        assert letters(life) == ["mail hall 3"]
        assert pending(life) == 0


def test_mail_goes_on_after_its_source_was_discarded(tmp_path: Path) -> None:
    """(FM-94) The first letter of the new branch is not taken for the first of the old one, which the target has."""
    world = World(tmp_path, ROOMS)
    life, gateway = begun(world)
    gateway.type("mail yard old")
    life.call(life.operators.pause, "yard")
    gateway.type("mail yard old, still held")
    life.call(life.operators.discard, "hall")
    gateway.type("mail yard new")
    life.call(life.operators.go_on, "yard")
    expected = ["mail hall old", "mail hall old, still held", "mail hall new"]
    assert letters(life) == expected
    assert pending(life) == 0
    life.crash()
    with world.life() as life:
        gateway.connect(life)
        gateway.type("mail yard newer")
        assert letters(life) == [*expected, "mail hall newer"]


def test_mail_goes_on_after_a_loss_of_power(tmp_path: Path) -> None:
    """(FM-94) The yard has a letter that the hall does not know it sent: the next one is not taken for it."""
    world = World(tmp_path, {"hall": "toy", "yard": "other"})
    world.settings["other"] = Game("other", base_every_s=0.5)
    life, gateway = begun(world)
    gateway.type("mail yard lost with the hall")
    life.pass_until(lambda: world.bases("yard")[-1].name.endswith(f"{life.running('yard').room.c}"))
    life.crash()
    world.boot_id = "boot-2"
    segment = next((tmp_path / "journal" / "host-1").glob("*.seg"))
    data = segment.read_bytes()
    segment.write_bytes(data[: data.index(b"mail yard lost") - 1].ljust(len(data), b"\0"))
    with world.life() as life:
        assert (letters(life), life.report["aside"]) == (["mail hall lost with the hall"], [])
        assert not [line for line in life.diary("hall") if "lost" in line]
        gateway.connect(life)
        gateway.type("mail yard on")
        assert letters(life)[1:] == ["mail hall on"]
        assert pending(life) == 0
