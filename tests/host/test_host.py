"""The host: what players typed happens once and in order, whatever stops a room, a host or an operator."""

from __future__ import annotations

import errno
from contextlib import suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from perdure.errors import ContractError, StorageError
from perdure.host.gateways import OUTBOX_BYTES_FULL, OUTBOX_BYTES_MAX, TOO_SLOW
from perdure.host.host import SKIPPED_CHARS_MAX, skipped_text
from perdure.host.recovery import Damaged
from perdure.link.gateway import HISTORY_LOST
from perdure.link.messages import RoomUp
from perdure.ports import Aside
from perdure.room.program import Lifecycle
from perdure.room.record import Event, Input, Join, Resize, Who
from tests.host.hosting import ANN, BOB, Died, Faults, Gateway, Life, World, began

LINES = [f"line {number}" for number in range(5)]


def put_aside(world: World, *, c: int, n: int, session: str = ANN) -> None:
    """As the supervisor does after two deaths on the same input."""
    owners = world.owners()
    owners.put(Aside("hall", "it killed two hosts", c, session, 1, n))
    owners.close()


def resume(life: Life, *, skip_input: bool = False) -> None:
    life.operators.resume("hall", skip_input=skip_input)
    life.settle()


# -- crashes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", range(7))
@pytest.mark.parametrize(
    "point",
    ["host:before-callback", "host:after-callback", "store:append", "host:after-append", "host:after-release",
     "host:join-durable"],
)  # fmt: skip
def test_every_line_is_applied_and_read_once_wherever_the_host_dies(tmp_path: Path, point: str, count: int) -> None:
    """(H1, H2, I3, I4) Crash table: during a callback, written and not released, released and lost on the way."""
    world = World(tmp_path)
    faults = Faults()
    faults.die_at = point, count
    life, gateway = world.life(start=False, faults=faults), Gateway()
    with suppress(Died):
        life.call(life.host.start_rooms)
        gateway.connect(life)
        gateway.join()
        gateway.type(*LINES)
    life.crash()
    if ANN not in gateway.end.sessions:
        gateway.join()
    typed = gateway.end.sessions[ANN].next_n - 1
    with world.life() as life:
        gateway.connect(life)
        gateway.type(*LINES[typed:])
        assert life.diary() == ["start", f"join {ANN}", *LINES]
        assert gateway.read[ANN] == [f"join {ANN}", *LINES]
        assert gateway.unacknowledged == 0


def test_a_go_is_followed_once_wherever_the_host_dies(tmp_path: Path) -> None:
    """(FM-95, H5, G5) Between two rooms nobody is lost, doubled, or in both."""
    for number, point in enumerate(["host:go-durable", "host:join-durable", "host:after-callback"]):
        for count in range(3):
            folder = tmp_path / f"{number}-{count}"
            folder.mkdir()
            world = World(folder, {"hall": "toy", "yard": "toy"})
            faults = Faults()
            life, gateway = began(world, faults)
            faults.die_at = point, count
            with suppress(Died):
                gateway.type("go yard", "typed ahead")
            life.crash()
            with world.life() as life:
                gateway.connect(life)
                assert life.diary("yard") == ["start", f"join {ANN}", "typed ahead"]
                assert (set(life.running("hall").room.open), set(life.running("yard").room.open)) == (set(), {ANN})


# -- the link ------------------------------------------------------------------------------------------


def test_everything_is_announced_anew_on_a_new_link(tmp_path: Path) -> None:
    """(H4, FM-92) The room, and what was not acknowledged; players read nothing twice."""
    life, gateway = began(World(tmp_path))
    with life:
        gateway.slow.add(ANN)
        gateway.type("one", "two")
        wire = gateway.connect(life)
        ups = [message for message in wire.messages if isinstance(message, RoomUp)]
        assert ups == [RoomUp("hall", 1, 0, {ANN: (1, 2)})]
        gateway.catch_up()
        gateway.type("three")
        assert gateway.read[ANN] == [f"join {ANN}", "one", "two", "three"]
        assert life.diary()[2:] == ["one", "two", "three"]


def test_seats_of_a_gateway_that_died_end(tmp_path: Path) -> None:
    """Its next incarnation, or time, says so."""
    life, _ = began(World(tmp_path))
    with life:
        again = Gateway(epoch=2)
        again.connect(life)
        assert life.running().room.open == {}
        again.join("g.2.1")
        life.call(life.host.gateways.dead, "g")
        assert life.running().room.open == {}


def test_a_seat_that_ends_twice_while_its_room_is_held_ends_once(tmp_path: Path) -> None:
    """What had to wait is looked at again before it runs."""
    life, _ = began(World(tmp_path))
    with life:
        life.call(life.operators.pause, "hall")
        life.call(life.host.gateways.dead, "g")
        life.call(life.host.gateways.dead, "g")
        c = life.running().room.c
        life.call(life.operators.go_on, "hall")
        assert (life.running().room.c, life.running().room.seats) == (c + 1, {})


# -- slow readers --------------------------------------------------------------------------------------


def test_events_of_a_full_outbox_wait_and_keep_their_order(tmp_path: Path) -> None:
    """(H3) Who does not read is not served more; the others are."""
    life, gateway = began(World(tmp_path))
    with life:
        gateway.join(BOB)
        gateway.slow.add(ANN)
        gateway.type(f"text {OUTBOX_BYTES_FULL + 1}", "one", "two")
        gateway.type("meanwhile", session=BOB)
        assert life.diary()[-1] == "meanwhile"
        gateway.catch_up()
        gateway.type("three")
        assert life.diary()[-4:] == ["meanwhile", "one", "two", "three"]
        assert gateway.unacknowledged == 0
        assert life.running().waiting == {}


def test_events_that_waited_keep_their_order_through_a_pause(tmp_path: Path) -> None:
    """(H3) The outbox empties while an operator holds the room: what came later stays later."""
    life, gateway = began(World(tmp_path))
    with life:
        gateway.slow.add(ANN)
        gateway.type(f"text {OUTBOX_BYTES_FULL + 1}", "one", "two")
        life.call(life.operators.pause, "hall")
        gateway.type("three")
        gateway.catch_up()
        gateway.type("four")
        assert "one" not in life.diary()
        life.call(life.operators.go_on, "hall")
        assert life.diary()[-4:] == ["one", "two", "three", "four"]


def test_events_that_waited_survive_a_full_disk_and_fill_the_outbox_again(tmp_path: Path) -> None:
    """(H3, FM-35) Each of them may fill the outbox, or the disk, before the next."""
    faults = Faults()
    life, gateway = began(World(tmp_path), faults)
    with life:
        gateway.slow.add(ANN)
        big = f"text {OUTBOX_BYTES_FULL + 1}"
        gateway.type(big, "one", big, "two")
        faults.failing["store:append"] = errno.ENOSPC
        gateway.catch_up(count=10)
        gateway.type("three")
        faults.failing.clear()
        life.advance(3)
        for _ in range(10):
            gateway.slow.add(ANN)
            gateway.catch_up(count=1)
        gateway.catch_up()
        gateway.catch_up()
        assert life.diary()[2:] == [big, "one", big, "two", "three"]
        assert gateway.unacknowledged == 0


def test_a_reader_who_is_too_slow_is_ended_with_a_reason(tmp_path: Path) -> None:
    """(FM-17) What others say is bounded, too; they notice nothing."""
    life, gateway = began(World(tmp_path))
    with life:
        gateway.join(BOB)
        gateway.slow.add(ANN)
        for _ in range(OUTBOX_BYTES_MAX // 50_000 + 1):
            gateway.type("y" * 50_000, session=BOB)
        assert set(life.running().room.open) == {BOB}
        gateway.catch_up()
        assert gateway.over == {ANN: TOO_SLOW}
        gateway.type("on", session=BOB)
        assert gateway.read[BOB][-1] == "on"
        life.settle()
        assert ANN not in life.running().room.seats


# -- operators -----------------------------------------------------------------------------------------


def test_a_paused_room_holds_everything_steps_once_and_goes_on_in_order(tmp_path: Path) -> None:
    """Events, timers and answers wait; nothing is lost, nothing is done twice."""
    world = World(tmp_path)
    world.toy.functions["it"] = lambda: "fine"
    life, gateway = began(world)
    with life:
        gateway.type("timer 1")
        life.call(life.operators.pause, "hall")
        gateway.type("one", "two", "three")
        life.advance(2)
        assert life.diary()[-1] == "timer 1"
        assert len(life.diary()) == 3
        assert life.call(life.operators.step, "hall") is True
        assert life.diary()[3:] == ["one"]
        gateway.type("four")
        assert life.call(life.operators.step, "hall") is True
        assert life.diary()[3:] == ["one", "two"]
        life.call(life.operators.go_on, "hall")
        assert life.diary()[3:] == ["one", "two", "three", "timer 1", "four"]
        assert gateway.read[ANN][-1] == "four"
        assert gateway.unacknowledged == 0


@pytest.mark.parametrize("kind", ["resident", "ephemeral"])
def test_a_disk_that_fills_in_the_middle_of_what_was_held_keeps_its_order(tmp_path: Path, kind: str) -> None:
    """(FM-35) Two timers, or a start and its join, have been begun: what was held behind them stays behind."""
    world = World(tmp_path)
    world.toy.lifecycle = Lifecycle(kind, grace_s=1)  # type: ignore[arg-type]
    faults = Faults()
    life, gateway = began(world, faults)
    with life:
        if kind == "ephemeral":
            gateway.leave()
            life.advance(3)
            life.call(life.operators.pause, "hall")
            gateway.join(BOB)
            gateway.type("behind", session=BOB)
            expected = ["start", f"join {BOB}", "behind"]
        else:
            gateway.type("timer 1", "timer 1.5")
            life.call(life.operators.pause, "hall")
            life.advance(2)
            gateway.type("behind")
            expected = ["timer 1", "timer 1.5", "behind"]
        faults.failing["store:append"] = errno.ENOSPC
        life.call(life.operators.go_on, "hall")
        faults.failing.clear()
        life.advance(3)
        assert life.diary()[-3:] == expected
        assert gateway.unacknowledged == 0


def test_a_paused_room_without_anything_to_do_steps_nothing(tmp_path: Path) -> None:
    """And a room that runs is not stepped."""
    life, _ = began(World(tmp_path))
    with life:
        with pytest.raises(ContractError, match="perdure room pause hall"):
            life.operators.step("hall")
        life.call(life.operators.pause, "hall")
        assert life.call(life.operators.step, "hall") is False


def test_a_poisoned_input_is_skipped_and_the_next_is_applied_once(tmp_path: Path) -> None:
    """(FM-78) The player reads why; nothing else of theirs is lost."""
    world = World(tmp_path)
    faults = Faults()
    life, gateway = began(world, faults)
    for _ in range(2):
        faults.die_at = "host:before-callback", 0
        if life.over:
            life = world.life(faults=faults, start=False)
        with pytest.raises(Died):
            if "poison" not in str(gateway.end.sessions[ANN].tail):
                gateway.type("poison", "after")
            else:
                life.call(life.host.start_rooms)
                gateway.connect(life)
    put_aside(world, c=3, n=1)
    with world.life() as life:
        gateway.connect(life)
        assert life.host.rooms == {}
        with pytest.raises(ContractError, match="--skip-input"):
            resume(life)
        assert "hall" in life.owners.all()
        with capture_logs() as logs:
            resume(life, skip_input=True)
        assert life.diary()[2:] == ["after"]
        skipped = 'Your line "poison" was skipped by an operator, because it stopped the server.\n'
        assert gateway.read[ANN][1:] == [skipped, "after"]
        assert "poison" not in str(logs) + str(life.events), "what was typed is the player's own"
        assert "fault" not in [event["kind"] for event in life.events], "nothing of the game's failed now"
        assert gateway.notices == []
        assert life.owners.all() == {}
        gateway.type("poison, typed again, is an input like any other")
        assert life.diary()[-1].startswith("poison")


def test_who_is_skipped_reads_what_was_skipped() -> None:
    """Not only lines can be: an arrival, a window's size. A long line is cut."""
    why = "was skipped by an operator, because it stopped the server."
    assert skipped_text(Event(ANN, 1, 0, Join(Who("ann", "Ann", "player")))) == f"Your arrival {why}"
    assert skipped_text(Event(ANN, 1, 1, Resize(80, 24))) == f"Something of yours {why}"
    line = "x" * SKIPPED_CHARS_MAX
    assert skipped_text(Event(ANN, 1, 1, Input(line))) == f'Your line "{line}" {why}'
    assert skipped_text(Event(ANN, 1, 1, Input(line + "y"))) == f'Your line "{line[1:]}…" {why}'


def test_a_damaged_room_goes_on_where_it_is_good_and_players_are_told(tmp_path: Path) -> None:
    """(FM-74) Only an operator decides that; the branch says that history was lost."""
    world = World(tmp_path)
    life, gateway = began(world)
    gateway.type("kept", "damaged", "behind")
    life.crash()
    segment = next((tmp_path / "journal" / "host-1").glob("*.seg"))
    data = segment.read_bytes()
    segment.write_bytes(data.replace(b"damaged", b"DAMAGED", 1))
    with world.life() as life:
        gateway.connect(life)
        with pytest.raises(ContractError, match="is put aside"):
            life.operators.pause("hall")
        resume(life)
        assert life.diary()[2:] == ["kept", f"join {ANN}"]
        assert gateway.notices == [(ANN, HISTORY_LOST)]
        gateway.type("on")
        assert gateway.read[ANN][-1] == "on"
    with world.life() as life:
        assert life.report["aside"] == []
        assert life.running().room.branch == 1


def test_a_room_that_stays_damaged_stays_aside(tmp_path: Path) -> None:
    """Without any readable base there is nothing to go on from; discarding is what is left."""
    world = World(tmp_path)
    life, gateway = began(world)
    life.crash()
    for base in world.bases("hall"):
        base.write_bytes(b"")
    with world.life() as life:
        gateway.connect(life)
        with pytest.raises(ContractError, match="still aside: no base of room hall"):
            resume(life)
        assert "hall" in life.owners.all()
        life.call(life.operators.discard, "hall")
        assert life.owners.all() == {}
        assert life.diary() == ["start", f"join {ANN}"]
    assert issubclass(Damaged, Exception)


def test_a_discarded_room_begins_anew_with_its_players(tmp_path: Path) -> None:
    """They are told, and what they typed ahead is applied once."""
    life, gateway = began(World(tmp_path))
    with life:
        gateway.type("old")
        life.call(life.operators.pause, "hall")
        gateway.type("typed ahead")
        life.call(life.operators.discard, "hall")
        assert life.diary() == ["start", f"join {ANN}", "typed ahead"]
        assert gateway.notices == [(ANN, HISTORY_LOST)]
        with pytest.raises(ContractError, match="There is no room attic"):
            life.operators.discard("attic")
        with pytest.raises(ContractError, match="There is no room attic"):
            life.operators.pause("attic")
        with pytest.raises(ContractError, match="not put aside"):
            life.operators.resume("hall", skip_input=False)


# -- faults of the game --------------------------------------------------------------------------------


@pytest.mark.parametrize(("line", "error"), [("fault", "RuntimeError: as you wish"), ("unspeakable", "Unspeakable")])
def test_a_fault_is_undone_and_reported_with_its_traceback(tmp_path: Path, line: str, error: str) -> None:
    """The event counts as applied, the player reads a line, the operator all of it; the room goes on."""
    life, gateway = began(World(tmp_path))
    with life:
        with capture_logs() as logs:
            gateway.type(line, "on")
        assert life.diary()[2:] == ["on"]
        assert gateway.read[ANN][1:] == ["That failed.\n", "on"]
        (event,) = [event for event in life.events if event["kind"] == "fault"]
        assert event == {
            "kind": "fault", "room": "hall", "callback": 3, "game": "toy", "handler": "toy.line", "command": "fault",
            "file": "toy.py", "line": 7, "undone": True, "error": error,
        }  # fmt: skip
        (entry,) = [entry for entry in logs if entry["event"] == "fault"]
        assert entry["traceback"].startswith("traceback of")
        assert life.running().listing()["faults"] == 1


def test_the_fault_that_disables_a_command_is_followed_by_an_event_of_that(tmp_path: Path) -> None:
    """An operator who reads the events knows what no player can do any more, without the logs."""
    life, gateway = began(World(tmp_path))
    with life:
        gateway.type("fault")
        told = [event for event in life.events if event["kind"] in ("fault", "disabled")]
        assert [event["kind"] for event in told] == ["fault", "disabled"]
        assert told[1] == {"kind": "disabled", "game": "toy", "handler": "toy.line", "command": "fault", "faults": 3}


def test_a_fault_that_undid_nothing_is_reported_like_any_other(tmp_path: Path) -> None:
    """A hook for prompts failed: the operator reads of it, the player does not."""
    life, gateway = began(World(tmp_path))
    with life:
        with capture_logs() as logs:
            gateway.type("hook", "on")
        assert life.diary()[2:] == ["hook", "on"]
        assert gateway.read[ANN][1:] == ["hook", "on"]
        (event,) = [event for event in life.events if event["kind"] == "fault"]
        assert (event["handler"], event["undone"], event["error"]) == ("toy.prompt", False, "RuntimeError: in a hook")
        assert "disabled" not in [event["kind"] for event in life.events]
        assert [entry["traceback"] for entry in logs if entry["event"] == "fault"] == ["traceback of RuntimeError"]
        assert life.running().listing()["faults"] == 1


def test_a_room_whose_start_faults_goes_aside_and_comes_back_in_the_same_host(tmp_path: Path) -> None:
    """It leaves a base, for its records are in this host's own journal; nothing was lost, so the branch stays."""
    world = World(tmp_path)
    world.toy.broken = True
    with world.life() as life:
        assert life.host.rooms == {}
        assert "Its start callback faulted: RuntimeError: cannot start" in life.owners.all()["hall"].reason
        gateway = Gateway()
        gateway.connect(life)
        gateway.join()
        assert gateway.unacknowledged == 1
        world.toy.broken = False
        resume(life)
        assert life.diary() == ["start", f"join {ANN}"]
        assert (life.running().room.branch, gateway.notices) == (0, [])
        assert life.running().room.c == 3
    with world.life() as life:
        assert life.diary() == ["start", f"join {ANN}"]


@pytest.mark.parametrize("stored", [True, False])
def test_an_ephemeral_room_whose_start_faults_acknowledges_no_join(tmp_path: Path, stored: bool) -> None:
    """What waits for the start waits on, and is applied when the room is back; also when the disk refused its base."""
    world = World(tmp_path)
    world.toy.lifecycle = Lifecycle("ephemeral", grace_s=1)
    faults = Faults()
    life, gateway = began(world, faults)
    with life:
        gateway.leave()
        life.advance(3)
        assert life.diary() == []
        c = life.running().room.c
        world.toy.broken = True
        if not stored:
            faults.failing["store:blob-write"] = errno.ENOSPC
        gateway.join(BOB)
        gateway.type("typed ahead", session=BOB)
        assert life.host.rooms == {}
        assert gateway.unacknowledged == 2
        world.toy.broken = False
        if not stored:
            with pytest.raises(StorageError):
                resume(life)
            assert "hall" in life.owners.all()
            faults.failing.clear()
        resume(life)
        assert life.running().room.c == c + 1 + 3, "the fault, and start, join and line of the second try"
        assert life.diary() == ["start", f"join {BOB}", "typed ahead"]
        assert (life.running().room.branch, gateway.notices) == (0, [])


def test_what_a_room_held_when_it_left_is_not_run_in_it(tmp_path: Path) -> None:
    """Its gateway has it, and says it again to who comes after."""
    world = World(tmp_path)
    world.toy.broken = True
    life, gateway = world.life(start=False), Gateway()
    with life:
        life.running().paused = True
        life.call(life.host.start_rooms)
        gateway.connect(life)
        gateway.join()
        gateway.type("one")
        life.call(life.operators.go_on, "hall")
        assert life.host.rooms == {}
        assert gateway.unacknowledged == 2
        world.toy.broken = False
        resume(life)
        assert life.diary() == ["start", f"join {ANN}", "one"]


def test_what_was_read_before_a_crash_does_not_count_against_its_reader(tmp_path: Path) -> None:
    """(FM-17) Recovery fills outboxes with all since the last base: who had read it is not slow, nor kept waiting."""
    world = World(tmp_path)
    life, gateway = began(world)
    gateway.join(BOB)
    for _ in range(OUTBOX_BYTES_MAX // 50_000 + 1):
        gateway.type("y" * 50_000, session=BOB)
    life.crash()
    with world.life() as life:
        running = life.running()
        seat = running.room.open[ANN]
        assert seat.outbox_bytes > OUTBOX_BYTES_MAX
        assert running.unread(ANN, seat) == 0
        gateway.connect(life)
        gateway.type("still here", session=BOB)
        assert gateway.read[ANN][-1] == "still here"
        assert (gateway.over, running.replayed) == ({}, {})


def test_a_game_that_cannot_be_bound_costs_only_its_own_rooms(tmp_path: Path) -> None:
    """Recovery runs no callback, but it makes a game's modules: what raises there puts that room aside, by name."""
    world = World(tmp_path, {"hall": "toy", "yard": "other"})
    world.life().stop()

    def broken(*_: object) -> object:
        raise RuntimeError("no good today")

    good, world.games["other"].bind = world.games["other"].bind, broken  # type: ignore[method-assign, assignment]
    with world.life() as life:
        assert set(life.host.rooms) == {"hall"}
        assert life.report["aside"] == ["yard"]
        world.games["other"].bind = good  # type: ignore[method-assign]
        assert life.operators.resume("yard", skip_input=False).room.started
