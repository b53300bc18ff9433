"""The ledger: nothing of a record is released before it is durable, nothing out of order, nothing twice."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from perdure.host.ledger import RETRY_S
from tests.host.hosting import ANN, Faults, Gate, Gateway, Life, World, began


def test_process_releases_at_once_and_never_syncs(tmp_path: Path) -> None:
    """(H2) A record in the mapping survives the process: nobody waits for the disk."""
    faults = Faults()
    life, gateway = began(World(tmp_path), faults)
    with life:
        gateway.type("one")
        assert gateway.read[ANN] == [f"join {ANN}", "one"]
        assert "store:sync" not in faults.passed


def test_power_releases_only_after_the_sync_and_commits_in_groups(tmp_path: Path) -> None:
    """(H2, I3) What arrives in a turn is one group; while its sync runs the next gathers. Released in order."""
    gate, faults = Gate(), Faults()
    life, gateway = began(World(tmp_path, durability="power"), faults)
    with life:
        faults.gates["store:sync"] = gate.wait
        faults.passed.clear()
        try:
            lines = [f"line {number}" for number in range(20)]
            gateway.type(*lines[:10])
            life.until(lambda: "store:sync" in faults.passed)
            gateway.type(*lines[10:])
            assert life.diary()[2:] == lines, "the room itself does not wait"
            assert gateway.read[ANN] == [f"join {ANN}"]
            assert gateway.unacknowledged == 20
            assert life.slot.read() is None, "nothing executes: a slow disk is no fault of the input"
        finally:
            gate.set()
        life.until(lambda: gateway.unacknowledged == 0)
        assert gateway.read[ANN] == [f"join {ANN}", *lines]
        assert faults.passed.count("store:sync") == 2, "one for the first turn, one for all that came meanwhile"
        assert life.slot.read() is None


def test_what_power_released_survives_and_what_waited_is_sent_again(tmp_path: Path) -> None:
    """A kill while the disk is slow: the gateway's tail holds what nobody acknowledged."""
    world = World(tmp_path, durability="power")
    gate, faults = Gate(), Faults()
    life, gateway = began(world, faults)
    faults.gates["store:sync"] = gate.wait
    gateway.type("in flight")
    assert gateway.read[ANN] == [f"join {ANN}"]
    gate.set()
    life.crash()
    with world.life() as life:
        gateway.connect(life)
        life.until(lambda: gateway.unacknowledged == 0)
        assert life.diary().count("in flight") == 1
        assert gateway.read[ANN] == [f"join {ANN}", "in flight"]


def test_a_full_disk_holds_everything_and_it_goes_on_in_order_and_once(tmp_path: Path) -> None:
    """(FM-35, FM-75) Events, timers, answers and mail wait; players are told nothing that could be forgotten."""
    world = World(tmp_path, {"hall": "toy", "yard": "toy"})
    faults = Faults()
    life, gateway = began(world, faults)
    with life:
        answer = Gate()
        world.toy.functions["slow"] = answer.wait
        gateway.type("timer 2", "ask slow")
        gateway.join("g.1.2", "yard")
        before = len(gateway.read[ANN])
        faults.failing["store:append"] = errno.ENOSPC
        gateway.type("first", "second")
        gateway.type("mail hall hello", session="g.1.2")
        answer.set()
        life.until(lambda: any("_answer" in repr(each.__code__.co_names) for each in life.running().held))
        life.advance(3 * RETRY_S)
        assert len(gateway.read[ANN]) == before
        assert gateway.unacknowledged == 3
        assert life.kinds().count("journal-full") == 1
        del faults.failing["store:append"]
        life.advance(2 * RETRY_S)
        assert gateway.read[ANN][before:] == ["first", "second", "answer ok True", "timer 2", "mail yard hello"]
        assert gateway.read["g.1.2"][-1] == "mail hall hello"
        assert gateway.unacknowledged == 0
        assert life.kinds().count("journal-goes-on") == 1
        diary = life.diary()
        gateway.type("third")
        assert life.diary() == [*diary, "third"]


def test_a_full_disk_that_fills_again_while_it_goes_on_keeps_the_order(tmp_path: Path) -> None:
    """(FM-75) Space for one record at a time: still each line once, in order."""
    faults = Faults()
    life, gateway = began(World(tmp_path), faults)
    with life:
        faults.failing["store:append"] = errno.ENOSPC
        lines = [f"line {number}" for number in range(5)]
        gateway.type(*lines)

        def every_other() -> None:
            if faults.passed.count("store:append") % 2:
                faults.failing["store:append"] = errno.ENOSPC
            else:
                faults.failing.pop("store:append", None)

        faults.gates["store:append"] = every_other
        for _ in range(30):
            life.advance(RETRY_S, RETRY_S)
        assert gateway.read[ANN][1:] == lines
        assert life.diary()[2:] == lines


def test_a_host_that_is_killed_while_the_disk_is_full_loses_nothing(tmp_path: Path) -> None:
    """(FM-35) What did not fit was not acknowledged: the gateway sends it again."""
    world = World(tmp_path)
    faults = Faults()
    life, gateway = began(world, faults)
    faults.failing["store:append"] = errno.ENOSPC
    gateway.type("first", "second")
    life.crash()
    with world.life() as life:
        gateway.connect(life)
        assert life.diary()[2:] == ["first", "second"]
        assert gateway.read[ANN][1:] == ["first", "second"]


def test_a_clean_stop_with_a_full_disk_is_no_clean_one(tmp_path: Path) -> None:
    """(FM-35) The record that waits for space is in nobody's hands: the journal must not say that all is well."""
    world = World(tmp_path)
    faults = Faults()
    life, gateway = began(world, faults)
    faults.failing["store:append"] = errno.ENOSPC
    gateway.type("first")
    life.stop()
    assert not (tmp_path / "journal" / "host-1" / "clean").exists()
    with world.life() as life:
        gateway.connect(life)
        assert life.diary()[2:] == ["first"]


@pytest.mark.parametrize(
    ("durability", "point"), [("process", "store:append"), ("power", "store:append"), ("power", "store:sync")]
)
def test_after_a_final_error_nothing_is_released_even_if_the_disk_recovers(
    tmp_path: Path, durability: str, point: str
) -> None:
    """(FM-75) The host is told to end, once; what the journal holds is what a new host makes true."""
    world = World(tmp_path, durability=durability)
    faults = Faults()
    life, gateway = began(world, faults)
    faults.failing[point] = errno.EIO
    gateway.type("lost or not")
    life.until(lambda: life.failed)
    faults.failing.clear()
    gateway.type("later")
    life.advance(5 * RETRY_S)
    assert gateway.read[ANN] == [f"join {ANN}"]
    assert gateway.unacknowledged == 2
    assert len(life.failed) == 1
    life.crash()
    recovered_once(world, gateway)


def recovered_once(world: World, gateway: Gateway) -> Life:
    with world.life() as life:
        gateway.connect(life)
        life.until(lambda: gateway.unacknowledged == 0)
        assert life.diary()[2:] == ["lost or not", "later"]
        assert gateway.read[ANN][1:] == ["lost or not", "later"]
        return life
