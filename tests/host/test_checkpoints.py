"""Checkpoints: bases are stored by time and by count, whole, and count only when they are on disk."""

from __future__ import annotations

import asyncio
import errno
import threading
from pathlib import Path

import pytest

from perdure.errors import StorageError
from perdure.host.bases import Bases
from perdure.host.checkpoints import GROUND_S, LOOK_EVERY_S, PACKERS
from perdure.store.blobs import FileBlobs
from perdure.store.journal import DeadJournal
from tests.host.hosting import ANN, KEYS, NOON_US, Died, Faults, Gate, Gateway, Life, World, began


class Noon:
    def now_us(self) -> int:
        return NOON_US


def newest_c(world: World) -> int:
    return int(world.bases("hall")[-1].name)


def test_a_base_is_stored_after_its_time_if_anything_changed(tmp_path: Path) -> None:
    """And none of a room in which nothing happens."""
    world = World(tmp_path, base_every_s=10, base_every_records=1000)
    life, gateway = began(world)
    with life:
        gateway.type("one")
        life.advance(9)
        assert newest_c(world) == 0
        life.advance(3)
        life.until(lambda: newest_c(world) == 3)
        life.advance(60)
        assert len(world.bases("hall")) == 2


def test_a_base_is_stored_earlier_after_many_records(tmp_path: Path) -> None:
    """Recovery stays short in a busy room."""
    world = World(tmp_path, base_every_s=10_000, base_every_records=5)
    life, gateway = began(world)
    with life:
        gateway.type("one", "two")
        life.advance(2 * LOOK_EVERY_S)
        assert newest_c(world) == 0
        gateway.type("three")
        life.advance(2 * LOOK_EVERY_S)
        life.until(lambda: newest_c(world) == 5)


def test_no_base_is_taken_while_a_record_waits_for_the_disk(tmp_path: Path) -> None:
    """(FM-18) A base ahead of the journal would hold what was never acknowledged: only quiescent rooms are captured."""
    world = World(tmp_path, base_every_s=0.5, durability="power")
    gate, faults = Gate(), Faults()
    life, gateway = began(world, faults)
    with life:
        faults.gates["store:sync"] = gate.wait
        gateway.type("waits")
        faults.passed.clear()
        life.advance(5 * LOOK_EVERY_S)
        assert "host:base-captured" not in faults.passed
        gate.set()
        life.until(lambda: gateway.unacknowledged == 0)
        life.advance(2 * LOOK_EVERY_S)
        life.until(lambda: newest_c(world) == 3)


def test_a_base_is_the_room_as_it_was_captured(tmp_path: Path) -> None:
    """(FM-18) What happens while it is packed is not in it; the header's hash is that of its contents."""
    world = World(tmp_path, base_every_s=0.5)
    gate, faults = Gate(), Faults()
    life, gateway = began(world, faults)
    with life:
        faults.gates["store:blob-write"] = gate.wait
        gateway.type("one")
        hash_then, c_then = life.running().room.state_hash(), life.running().room.c
        life.advance(2 * LOOK_EVERY_S)
        gateway.type("during", "that")
        gate.set()
        life.until(lambda: newest_c(world) == c_then)
        history = life.owners.history("hall")
        found, refused = Bases(FileBlobs(tmp_path / "blobs"), KEYS, Noon()).newest("hall", "toy", history)
        assert found is not None
        assert (found.key.c, refused) == (c_then, {})
        assert b"during" not in found.body.tables["toy.diary"]["all"]
        assert life.running().room.state_hash() != hash_then


def test_a_base_that_is_only_on_its_way_counts_for_nothing(tmp_path: Path) -> None:
    """(FM-19) The host dies while it is packed: the records are all there, and tell the same."""
    world = World(tmp_path, base_every_s=0.5)
    faults = Faults()
    life, gateway = began(world, faults)
    gateway.type("one", "two")
    faults.die_at = "host:base-captured", 0
    with pytest.raises(Died):
        life.advance(3 * LOOK_EVERY_S)
    assert newest_c(world) == 0
    with world.life() as life:
        assert (life.report["records"], life.diary()[2:]) == (4, ["one", "two"])


def test_a_host_that_dies_after_a_base_and_before_the_journal_knows_loses_nothing(tmp_path: Path) -> None:
    """(FM-27) Records that the base has are not booked again."""
    world = World(tmp_path, base_every_s=0.5)
    faults = Faults()
    life, gateway = began(world, faults)
    gateway.type("one", "two")
    faults.die_at = "host:base-stored", 0
    life.advance(3 * LOOK_EVERY_S)
    with pytest.raises(Died):
        life.until(lambda: False)
    with world.life() as life:
        assert (life.report["records"], life.diary()[2:]) == (0, ["one", "two"])


def test_a_base_that_fails_keeps_the_bases_and_records_before_it_and_is_tried_again(tmp_path: Path) -> None:
    """(FM-20, FM-76) It is said, nothing is lost meanwhile, and the next one that is due is stored."""
    world = World(tmp_path, base_every_s=5)
    faults = Faults()
    life, gateway = began(world, faults)
    faults.failing["store:blob-write"] = errno.ENOSPC
    gateway.type("one")
    life.advance(7)
    life.until(lambda: "base-failed" in life.kinds())
    assert newest_c(world) == 0
    gateway.type("two")
    del faults.failing["store:blob-write"]
    life.advance(7)
    life.until(lambda: newest_c(world) == 4)
    life.crash()
    with world.life() as life:
        assert life.diary()[2:] == ["one", "two"]


def test_two_bases_are_kept_and_the_journal_back_to_the_older(tmp_path: Path) -> None:
    """One that turns out to be unreadable costs nothing."""
    world = World(tmp_path, base_every_s=0.5)
    life, gateway = began(world)
    for number in range(6):
        gateway.type(f"line {number}")
        life.pass_until(lambda: newest_c(world) == life.running().room.c and len(world.bases("hall")) == 2)
    assert len(world.bases("hall")) == 2
    life.crash()
    dead = DeadJournal.claim(tmp_path / "journal" / "host-1")
    assert dead is not None
    dead.close()
    newest = world.bases("hall")[-1]
    newest.write_bytes(newest.read_bytes()[:-1])
    with world.life() as life:
        assert life.diary()[2:] == [f"line {number}" for number in range(6)]


@pytest.mark.parametrize("durability", ["power", "process", "checkpoint"])
def test_a_clean_stop_stores_what_changed_and_the_next_host_needs_nothing_else(tmp_path: Path, durability: str) -> None:
    """(FM-25) No branch, no records to book, everything there."""
    world = World(tmp_path, durability=durability)
    life, gateway = began(world)
    gateway.type("one")
    life.stop()
    with world.life() as life:
        assert life.diary()[2:] == ["one"]
        assert (life.report["records"], life.report["rolled_back"]) == (0, 0)
        gateway.connect(life)
        assert gateway.notices == []


def test_a_clean_stop_waits_for_the_base_that_is_on_its_way(tmp_path: Path) -> None:
    """(FM-19) The old process leaves when its state is stored, not when that was ordered."""
    world = World(tmp_path, base_every_s=0.5, durability="checkpoint")
    gate, faults = Gate(), Faults()
    life, gateway = began(world, faults)
    faults.gates["store:blob-write"] = gate.wait
    gateway.type("one")
    life.advance(2 * LOOK_EVERY_S)
    assert "host:base-captured" in faults.passed
    gateway.type("two")
    threading.Timer(0.05, gate.set).start()
    life.stop()
    with world.life() as life:
        assert life.diary()[2:] == ["one", "two"]


def test_a_clean_stop_whose_base_fails_says_so_and_the_next_host_knows(tmp_path: Path) -> None:
    """(FM-20) Under `checkpoint` the base is all there is: without it the stop was not clean, and players are told."""
    world = World(tmp_path, {"hall": "toy", "yard": "other"}, durability="checkpoint")
    faults = Faults()
    life, gateway = began(world, faults)
    gateway.type("lost")
    faults.failing["store:blob-write"] = errno.EIO
    life.stop()
    assert "base-failed" in life.kinds()
    with world.life() as life:
        assert life.running().room.branch == 1
        gateway.connect(life)
        assert [session for session, _ in gateway.notices] == [ANN]


def test_no_bases_are_stored_under_none(tmp_path: Path) -> None:
    """The first one is the ground of its claim, and all there is."""
    world = World(tmp_path, base_every_s=0.5, durability="none")
    life, gateway = began(world)
    with life:
        gateway.type("one")
        life.advance(3 * LOOK_EVERY_S)
        assert newest_c(world) == 0
    assert isinstance(gateway, Gateway)


# -- before rooms move -----------------------------------------------------------------------------------


def many(tmp_path: Path, count: int, faults: Faults) -> tuple[World, Life]:
    """A host with so many rooms, which have all changed since their first base, and get no other one by themselves."""
    world = World(tmp_path, {f"room{number}": "toy" for number in range(count)}, base_every_s=10_000)
    life, gateway = world.life(faults=faults), Gateway()
    gateway.connect(life)
    for number in range(count):
        gateway.join(f"g.1.{number}", f"room{number}")
    life.until(lambda: gateway.unacknowledged == 0)
    return world, life


def grounding(life: Life) -> asyncio.Task[None]:
    """A base of every room is being stored."""
    checkpoints, rooms = life.host.checkpoints, list(life.host.rooms.values())
    task: asyncio.Task[None] = life.call(lambda: life.loop.create_task(checkpoints.ground(rooms)))
    return task


def writes(faults: Faults) -> int:
    return faults.passed.count("store:blob-write")


def test_bases_before_a_move_wait_for_the_disk_side_by_side(tmp_path: Path) -> None:
    """One after the other, a thousand rooms would wait for a thousand syncs."""
    gate, faults = Gate(), Faults()
    _, life = many(tmp_path, 3 * PACKERS, faults)
    with life:
        faults.gates["store:blob-write"] = gate.wait
        faults.passed.clear()
        grounded = grounding(life)
        life.until(lambda: writes(faults) == PACKERS)
        assert not grounded.done()
        gate.set()
        life.until(grounded.done)
        grounded.result()
        assert all(running.newest_c == running.room.c for running in life.host.rooms.values())


def test_a_second_move_waits_for_the_bases_of_the_first_however_slow_the_disk_is(tmp_path: Path) -> None:
    """(FM-37) Right behind each other, with a disk that is slow for longer than any wait for a room's records."""
    gate, faults = Gate(), Faults()
    _, life = many(tmp_path, 2 * PACKERS, faults)
    with life:
        faults.gates["store:blob-write"] = gate.wait
        first, second = grounding(life), grounding(life)
        life.advance(3 * GROUND_S)
        assert not first.done()
        assert not second.done()
        gate.set()
        life.until(lambda: first.done() and second.done())
        first.result()
        second.result()
        faults.passed.clear()
        third = grounding(life)
        life.until(third.done)
        assert writes(faults) == 0


def test_a_move_does_not_begin_with_a_room_whose_base_cannot_be_stored(tmp_path: Path) -> None:
    """(FM-20) It is said, the room goes on, and later it is tried anew."""
    faults = Faults()
    _, life = many(tmp_path, PACKERS, faults)
    with life:
        faults.failing["store:blob-write"] = errno.ENOSPC
        failed = grounding(life)
        life.until(failed.done)
        assert isinstance(failed.exception(), StorageError)
        del faults.failing["store:blob-write"]
        grounded = grounding(life)
        life.until(grounded.done)
        grounded.result()
