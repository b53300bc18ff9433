"""Before the program is replaced the game is asked, and asking leaves no trace; being moved asks and tells nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from perdure.room.callback import Callback
from perdure.room.machine import VETO_BUDGET_S, Guard, Room
from perdure.room.program import Overrun, Vetoed
from perdure.room.record import Cause, End, Text
from perdure.room.tables import Table
from perdure.snapshot.body import read_body, sections
from tests.room.rooms import ANN, SEED, THINGS, Game, Thing, a_room, join

FIGHT = Vetoed("arena", "a fight", 12.0)


def must_not_run(_callback: Callback, cause: Cause, _things: Table[Thing, str]) -> None:
    """A game's code where none is called."""
    raise AssertionError(f"{cause} ran")


def a_full_room(guard: Guard | None = None) -> tuple[Room, Game]:
    """A room with a row, a timer, and Ann in it."""

    def act(callback: Callback, cause: Cause, things: Table[Thing, str]) -> None:
        things["sword"] = Thing(count=1)
        callback.set_timer(5_000_000, "bell", id="bell")
        callback.output(list(callback.seats), Text("Welcome.\n"))

    room, game = a_room(act)
    if guard is not None:
        room.guard = guard
    join(room)
    return room, game


def test_every_module_is_asked_and_those_without_an_objection_are_left_out() -> None:
    """Reason and time, by module."""
    room, game = a_full_room()
    game.asked = {"shop": lambda _c, _t: None, "arena": lambda _c, _t: FIGHT}
    assert room.ask_vetoes(room.handler.vetoers(), 0) == [FIGHT]


def test_asking_changes_nothing_whatever_the_module_does() -> None:
    """Rows, timers, seats, clock and history are as before; nothing is told, and the next callback runs as ever."""
    room, game = a_full_room()
    before, c, now_us = room.value_hash(), room.c, room.now_us

    def veto(callback: Callback, things: Table[Thing, str]) -> Vetoed | None:
        things["sword"].count = 99
        things["shield"] = Thing()
        callback.cancel_timer("bell")
        callback.set_timer(1, "gong")
        callback.effect("room:other", b"x")
        callback.output([ANN], Text("Psst.\n"))
        callback.output([ANN], End("Out!"))
        return None

    game.asked = {"meddler": veto}
    assert room.ask_vetoes(room.handler.vetoers(), 9_000_000) == []
    assert (room.value_hash(), room.c, room.now_us) == (before, c, now_us)
    assert ANN in room.open
    assert room.tables[THINGS.name]["sword"].count == 1
    assert "shield" not in room.tables[THINGS.name]


@pytest.mark.parametrize("error", [ValueError("bad"), SystemExit(3), Overrun("cut")])
def test_a_veto_that_raises_is_none_but_is_not_kept_secret(error: BaseException) -> None:
    """A broken module cannot hold a movement up (FM-93), nor silence another module's veto."""
    room, game = a_full_room()

    def veto(_callback: Callback, things: Table[Thing, str]) -> Vetoed | None:
        things["sword"].count = 99
        raise error

    game.asked = {"broken": veto, "arena": lambda _c, _t: FIGHT}
    assert room.ask_vetoes(room.handler.vetoers(), 0) == [Vetoed("broken", error=error), FIGHT]
    assert room.tables[THINGS.name]["sword"].count == 1


def test_each_module_has_a_second() -> None:
    """The room's guard cuts what takes longer (FM-40)."""
    budgets: list[float] = []

    def guard(function: Callable[[], None], budget_s: float) -> None:
        budgets.append(budget_s)
        function()

    room, game = a_full_room(guard)
    game.asked = {"a": lambda _c, _t: None, "b": lambda _c, _t: None}
    budgets.clear()
    room.ask_vetoes(room.handler.vetoers(), 0)
    assert budgets == [VETO_BUDGET_S, VETO_BUDGET_S]


def test_a_module_is_told_the_time_as_it_is_now() -> None:
    """An idle room's last callback may be hours ago; its clock never goes back all the same."""
    room, game = a_full_room()
    seen: list[int] = []
    game.asked = {"clock": lambda callback, _t: seen.append(callback.now_us)}
    room.ask_vetoes(room.handler.vetoers(), 7_000_000)
    room.ask_vetoes(room.handler.vetoers(), 0)
    assert seen == [7_000_000, room.now_us]


def test_a_room_that_is_moved_calls_nothing_and_says_nothing() -> None:
    """No start, no join, no text: players see what they saw (FM-1, FM-29)."""
    room, _ = a_full_room()
    body = b"".join(sections(room.capture()))
    moved = Room.restore(
        read_body(body), room.id, Game(must_not_run), c=room.c, epoch=room.epoch + 1, branch=room.branch
    )
    moved.check()
    assert moved.value_hash() == room.value_hash()
    assert not moved.handler.wants_start()
    assert [m for m, _ in moved.seats[ANN].outbox] == [m for m, _ in room.seats[ANN].outbox]


def test_records_that_follow_a_copy_call_nothing_and_say_nothing() -> None:
    """What the old host did since the copy was made is booked, not done again (FM-24, FM-29)."""
    room, _ = a_room(lambda callback, _, __: callback.output(list(callback.seats), Text("x\n")))
    following = Room.new("hall", Game(must_not_run), seed=SEED, clock_us=1_000)
    ran = join(room)
    assert ran.record is not None
    following.replay(ran.record, ran.data)
    assert following.value_hash() == room.value_hash()
