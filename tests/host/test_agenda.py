"""The agenda: what is due runs in its slot, in any number of rooms, without drift and without rooms that left."""

from __future__ import annotations

from pathlib import Path

import pytest

from perdure.host.agenda import SLOT_S
from perdure.room.program import Lifecycle
from tests.host.hosting import World, began


@pytest.mark.parametrize("hz", [60.0, 20.0, 7.0])
def test_a_heartbeat_keeps_its_rate_without_drift(tmp_path: Path, hz: float) -> None:
    """Slots make a beat late by at most one of them, and the next is planned from when this one was due."""
    world = World(tmp_path)
    world.toy.lifecycle = Lifecycle(wake_hz=hz)
    with world.life() as life:
        life.advance(10, SLOT_S)
        assert abs(life.diary().count("wake") - 10 * hz) <= 2


def test_beats_that_would_be_late_are_left_out(tmp_path: Path) -> None:
    """(FM-77) After a second without the loop there is one beat, not sixty."""
    world = World(tmp_path)
    world.toy.lifecycle = Lifecycle(wake_hz=60)
    with world.life() as life:
        life.advance(1, SLOT_S)
        before = life.diary().count("wake")
        life.loop.advance(1.0)
        life.settle()
        assert 1 <= life.diary().count("wake") - before <= 2


def test_timers_fire_when_they_are_due_and_in_order(tmp_path: Path) -> None:
    """(FM-24) None early, and each once."""
    life, gateway = began(World(tmp_path))
    with life:
        gateway.type("timer 3", "timer 1", "timer 2")
        life.advance(0.9, 0.1)
        assert not [line for line in life.diary()[5:] if line.startswith("timer")]
        life.advance(0.2, 0.1)
        assert life.diary()[5:] == ["timer 1"]
        life.advance(2, 0.1)
        assert life.diary()[5:] == ["timer 1", "timer 2", "timer 3"]


def test_timers_fire_after_a_recovery(tmp_path: Path) -> None:
    """(FM-88) A room that came back is not only input: its timers and heartbeats are there, too."""
    world = World(tmp_path)
    world.toy.lifecycle = Lifecycle(wake_hz=10)
    life, gateway = began(world)
    gateway.type("timer 60")
    life.crash()
    for _ in range(2):  # as after the first, so after the second
        with world.life() as life:
            before = life.diary().count("wake")
            life.advance(1, 0.05)
            assert life.diary().count("wake") - before >= 9
    with world.life() as life:
        life.advance(70, 0.5)
        assert life.diary().count("timer 60") == 2, "typed once, fired once"


def test_a_room_that_left_is_due_for_nothing(tmp_path: Path) -> None:
    """Its timers and beats are void, also those that were down already."""
    world = World(tmp_path)
    world.toy.lifecycle = Lifecycle(wake_hz=10)
    life, gateway = began(world)
    with life:
        gateway.type("timer 1")
        old = life.running()
        life.call(life.operators.discard, "hall")
        c = old.room.c
        life.advance(3, 0.05)
        assert old.room.c == c
        assert old.due_s == {}
        assert "timer 1" not in life.diary()
        assert "wake" in life.diary()


def test_an_empty_ephemeral_room_closes_after_its_grace_and_a_join_starts_it_anew(tmp_path: Path) -> None:
    """Its state and its timers are forgotten, and no beat is spent on it."""
    world = World(tmp_path)
    world.toy.lifecycle = Lifecycle("ephemeral", grace_s=5, wake_hz=10)
    life, gateway = began(world)
    with life:
        gateway.type("one", "timer 60")
        gateway.leave()
        life.advance(4, 0.1)
        assert "one" in life.diary()
        gateway.join("g.1.2")
        life.advance(10, 0.1)
        assert "one" in life.diary(), "somebody came back in time"
        gateway.leave("g.1.2")
        life.advance(6, 0.1)
        assert life.diary() == []
        assert not life.running().room.started
        assert "wake" not in life.running().due_s
        gateway.join("g.1.3")
        assert life.diary()[:2] == ["start", "join g.1.3"]
        life.advance(60, 0.5)
        assert "wake" in life.diary()
        assert "timer 60" not in life.diary()
