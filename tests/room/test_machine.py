"""The room machine: callbacks, undo, records, and the value that moves."""

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.errors import SchemaError
from perdure.room.callback import Callback
from perdure.room.machine import STALE_TIMERS_MAX, Room
from perdure.room.program import Overrun, Refusal
from perdure.room.record import (
    Answered,
    Cause,
    Closed,
    End,
    Event,
    Go,
    Gone,
    Input,
    Mailed,
    Output,
    Refused,
    Request,
    Started,
    Text,
    Timer,
    TimerFired,
    Wake,
    decode_record,
    digest,
)
from perdure.room.seats import Stage
from perdure.room.tables import Table, TableSpec
from tests.room.rooms import ANN, BOB, SEED, THINGS, Game, Thing, a_room, again, join, leave, line, resize

SECOND_US = 1_000_000
REQUEST = Request("weather:today", b"\x90", "told", b"\x90", 5 * SECOND_US, True)


def value(room: Room) -> tuple[object, ...]:
    """Everything that a movement carries, to compare."""
    body = room.capture()
    return room.c, msgspec.to_builtins(body.meta), [(name, list(rows.items())) for name, rows in body.tables.items()]


def outbox(room: Room, session: str = ANN) -> list[Output]:
    """What a seat has not acknowledged."""
    return [output for _, output in room.seats[session].outbox]


# --- faults, refusals ---


def spoil(callback: Callback, cause: Cause, things: Table[Thing, str]) -> None:
    """Do a bit of everything."""
    things["a"].count += 1
    things["a"].names.append("x")
    things["new"] = Thing()
    things.pop("b", None)
    callback.output([ANN], Text("half\n"))
    callback.output([ANN], Go("arena", -1))
    callback.set_timer(5, "later", id="t")
    callback.cancel_timer("old")
    callback.ask(REQUEST)
    callback.effect("mailer", b"x")


def spoiled(error: BaseException) -> tuple[Room, str, list[str]]:
    """A room in which a callback did a bit of everything and then raised; its hash and keys before."""
    room, game = a_room(lambda c, _, things: things.setdefault("a", Thing()))
    join(room)
    game.act = lambda c, _, things: (things.setdefault("b", Thing()), c.set_timer(9, "tick", id="old"))
    line(room, 1)
    before = room.state_hash()

    def act(callback: Callback, cause: Cause, things: Table[Thing, str]) -> None:
        spoil(callback, cause, things)
        raise error

    game.act = act
    return room, before, list(room.tables[THINGS.name])


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(1), Overrun(), RecursionError()])
def test_a_fault_leaves_nothing_but_its_line(error: BaseException) -> None:
    """Rows, order of keys, timers, requests, effects, outputs, seats are as before; the event counts (H2, P4)."""
    room, _, keys = spoiled(error)
    ran = line(room, 2)
    assert ran.error is error
    assert ran.record is not None
    assert ran.record.faulted == f"{type(error).__name__}: {error}"
    assert (ran.record.rows, ran.record.timers, ran.record.requests, ran.record.effects) == ([], [], [], [])
    assert list(room.tables[THINGS.name]) == keys
    assert room.tables[THINGS.name]["a"] == Thing()
    assert list(room.timers) == ["old"]
    assert (room.requests, room.effects) == ({}, {})
    assert outbox(room) == [Text("That failed.\n")]
    assert room.seats[ANN].stage is Stage.OPEN
    assert list(room.open) == [ANN]
    assert room.seats[ANN].applied == 2


def test_a_fault_changes_the_state_by_its_time_only() -> None:
    """The hash of rows, timers and seed is that of a room in which the event did nothing."""
    room, _, _ = spoiled(ValueError("no"))
    quiet, _, _ = spoiled(ValueError("no"))
    line(room, 2)
    quiet.handler.act = None  # type: ignore[attr-defined]
    line(quiet, 2)
    assert room.state_hash() == quiet.state_hash()


def test_a_refusal_is_undone_and_told_and_no_fault() -> None:
    """Game code says no in its own words."""
    room, _, keys = spoiled(Refusal("The door is shut."))
    ran = line(room, 2)
    assert (ran.error, ran.record and ran.record.faulted) == (None, "")
    assert outbox(room) == [Text("The door is shut.\n")]
    assert list(room.tables[THINGS.name]) == keys


@pytest.mark.parametrize("error", [Refusal("full"), ValueError("broken")])
def test_a_join_that_fails_is_refused(error: BaseException) -> None:
    """The gateway takes the player to the fallback room; the seat is closed and has only that output."""

    def act(*_: object) -> None:
        raise error

    room, _ = a_room(act)
    join(room)
    assert outbox(room) == [Refused("full" if isinstance(error, Refusal) else "That failed.", 0)]
    assert room.seats[ANN].closed
    assert not room.open


def test_an_interrupt_of_the_developer_is_not_a_fault() -> None:
    """Ctrl-C in `perdure dev` ends the process."""

    def act(*_: object) -> None:
        raise KeyboardInterrupt

    room, _ = a_room(act)
    with pytest.raises(KeyboardInterrupt):
        join(room)


@pytest.mark.parametrize(
    "act",
    [
        lambda c, _, t: c.output([ANN], Text("\ud800")),
        lambda c, _, t: c.output([ANN], Text(7)),  # type: ignore[arg-type]
        lambda c, _, t: c.set_timer(1 << 70, "x"),
        lambda c, _, t: c.set_timer(0.5, "x"),
        lambda c, _, t: c.effect("mailer", "text"),
        lambda c, _, t: t.__setitem__("\ud800", Thing()),
        lambda c, _, t: t.__setitem__(1 << 70, Thing()),
        lambda c, _, t: t.__setitem__("a", Thing(count="many")),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_recorded_is_a_fault_and_leaves_nothing(act: object) -> None:
    """A record that recovery could not read must never be written (FM-78)."""
    room, game = a_room()
    join(room)
    game.act = act  # type: ignore[assignment]
    ran = line(room, 1)
    assert ran.error is not None
    assert decode_record(ran.data).faulted
    assert len(room.tables[THINGS.name]) == 0
    assert not room.timers
    assert line(room, 2).record is not None


def test_an_error_that_cannot_say_what_it_is_is_recorded_by_its_name() -> None:
    """An author's __str__ may raise, or give what cannot be stored."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError

    class Odd(Exception):
        def __str__(self) -> str:
            return "\ud800"

    for error, said in ((Mute(), "Mute"), (Odd(), "Odd: ?")):

        def act(*_: object, error: Exception = error) -> None:
            raise error

        room, _ = a_room(act)
        ran = room.run(Started(), 0)
        assert decode_record(ran.data).faulted == said


def test_a_skipped_cause_counts_and_runs_no_code() -> None:
    """An operator skips the input that kills the host (FM-78)."""
    room, game = a_room()
    join(room)
    game.act = lambda *_: pytest.fail("ran")
    ran = room.skip(Event(ANN, 1, 1, Input("boom")), 0, "It was skipped.")
    assert room.seats[ANN].applied == 1
    assert outbox(room) == [Text("It was skipped.\n")]
    assert ran.record is not None
    assert ran.record.faulted == "ContractError: it was skipped"
    assert ran.error is None, "nothing of the game's failed, and what the player reads is for no log"


# --- seats ---


def test_outputs_are_numbered_by_seat() -> None:
    """m = 1, 2, … for each seat, whoever else hears the same (I4)."""
    room, game = a_room()
    join(room)
    join(room, BOB)
    game.act = lambda c, _, t: c.output([ANN, BOB, "g.1.9"], Text("all\n"))
    line(room, 1)
    game.act = lambda c, _, t: c.output([ANN], Text("ann\n"))
    ran = line(room, 2)
    assert ran.sent == [(Text("ann\n"), [(ANN, 1, 2)])]
    assert [m for m, _ in room.seats[BOB].outbox] == [1]


def test_a_go_names_the_last_event_and_closes_the_seat() -> None:
    """What comes after it in the same callback does not reach the player any more (H5)."""
    room, game = a_room()
    join(room)

    def act(callback: Callback, cause: Cause, things: Table[Thing, str]) -> None:
        callback.output([ANN], Text("bye\n"))
        callback.output([ANN], Go("arena", -1))
        assert ANN not in callback.seats
        callback.output([ANN], Text("never\n"))
        callback.output([ANN], End("never"))

    game.act = act
    line(room, 1)
    assert outbox(room) == [Text("bye\n"), Go("arena", 1)]
    assert room.seats[ANN].stage is Stage.MOVED


def test_a_player_who_leaves_is_not_sent_on_by_the_leave() -> None:
    """A seat ends in exactly one way: go and end in the callback of its own leave do not count."""
    for cause in ("leave", "gone", "thrown out"):
        room, game = a_room()
        join(room)
        game.act = lambda c, _, t: [c.output([ANN], output) for output in (Go("arena", -1), End("x"))]  # type: ignore[func-returns-value]
        if cause == "leave":
            assert leave(room, 1).sent == []
            assert room.seats[ANN].stage is Stage.LEFT
        elif cause == "gone":
            room.run(Gone(ANN, 1), 0)
            assert ANN not in room.seats
        else:
            ran = room.run(Gone(ANN, 1, "too slow"), 0)
            assert [output for output, _ in ran.sent] == [End("too slow")]


def test_a_seat_that_left_holds_no_output() -> None:
    """Nobody will acknowledge it (I5)."""
    room, _game = a_room(lambda c, _, t: c.output(list(c.seats), Text("noise\n")))
    join(room)
    leave(room, 1)
    assert outbox(room) == []
    assert not room.open
    room.forget_seat(ANN)
    assert not room.seats


def test_an_open_seat_cannot_be_forgotten() -> None:
    """It ends with a callback, so that the game hears of it."""
    room, _ = a_room()
    join(room)
    with pytest.raises(AssertionError, match="ends with a callback"):
        room.forget_seat(ANN)


def test_a_window_size_is_known_before_the_callback() -> None:
    """Also when that callback faults, since the window did change."""

    def act(callback: Callback, cause: Cause, things: Table[Thing, str]) -> None:
        assert callback.seats[ANN].columns == 132
        raise ValueError

    room, game = a_room()
    join(room)
    game.act = act
    assert isinstance(resize(room, 1, 132, 50).error, ValueError)
    assert (room.seats[ANN].columns, room.seats[ANN].rows) == (132, 50)


def test_a_later_seat_replaces_the_earlier_one() -> None:
    """The player came back after being elsewhere; numbers begin anew."""
    room, _ = a_room(lambda c, _, t: c.output([ANN], Text("hi\n")))
    join(room)
    line(room, 1)
    room.run(Gone(ANN, 1), 0)
    join(room, j=3)
    seat = room.seats[ANN]
    assert (seat.j, seat.applied, [m for m, _ in seat.outbox]) == (3, 0, [1])


# --- time and randomness ---


def test_the_clock_rises_and_never_goes_back() -> None:
    """Whatever the world's clock does (FM-77)."""
    room, _ = a_room()
    seen = []
    for clock_us in (5_000, 4_000, -1, 5_001, 3_600 * SECOND_US, 0):
        room.run(Mailed("x", 1, b""), clock_us)
        seen.append(room.now_us)
    assert seen == [5_000, 5_001, 5_002, 5_003, 3_600 * SECOND_US, 3_600 * SECOND_US + 1]


def test_randomness_depends_on_seed_callback_and_time_only() -> None:
    """Equal rooms draw equal numbers, restored ones too; another callback, time or seed draws others."""

    def draw(seed: bytes, c: int, clock_us: int) -> list[float]:
        drawn: list[float] = []
        game = Game(lambda callback, _, t: drawn.extend(callback.random.random() for _ in range(3)))
        room = Room.new("any", game, seed=seed, clock_us=0)
        for _ in range(c):
            room.run(Mailed("x", 1, b""), 0)
            drawn.clear()
        again(room, game).run(Mailed("x", 1, b""), clock_us)
        return drawn

    random.seed(1)
    first = draw(SEED, 3, 9_000)
    random.seed(2)
    assert draw(SEED, 3, 9_000) == first
    assert (
        len(
            {
                tuple(first),
                *(tuple(draw(*other)) for other in ((bytes(16), 3, 9_000), (SEED, 4, 9_000), (SEED, 3, 9_001))),
            }
        )
        == 4
    )


def test_a_wake_that_changes_nothing_leaves_no_record() -> None:
    """An idle heartbeat costs no journal, and the callback number stays."""
    room, game = a_room(lambda c, _, t: t.get("x"))
    before = room.state_hash()
    assert room.run(Wake(), 5_000).record is None
    assert (room.c, room.state_hash()) == (0, before)
    game.act = lambda c, _, t: t.setdefault("x", Thing())
    assert room.run(Wake(), 5_000).record is not None
    assert room.c == 1


# --- timers ---


def fire(room: Room, clock_us: int) -> None:
    """The driver's part: run the timer that is due next."""
    assert room.next_due is not None
    room.run(TimerFired(room.next_due[1]), clock_us)


def test_timers_are_due_in_order_and_fire_once() -> None:
    """Set, replaced and cancelled timers, by id; the callback sees what was set (FM-88)."""
    room, game = a_room()
    fired = []

    def act(callback: Callback, cause: Cause, things: Table[Thing, str]) -> None:
        callback.set_timer(300, "c", id="c")
        callback.set_timer(100, "a", id="a")
        callback.set_timer(200, "b", id="b")
        callback.set_timer(400, "a2", id="a")
        assert callback.cancel_timer("b")
        assert not callback.cancel_timer("b")
        assert not callback.cancel_timer("x")

    game.act = act
    room.run(Started(), 0)
    room = again(room, game)
    game.act = lambda c, cause, t: fired.append((cause.id, c.timer and c.timer.handler))  # type: ignore[union-attr]
    while room.next_due:
        fire(room, 0)
    assert fired == [("c", "c"), ("a", "a2")]


def test_timers_without_a_name_get_their_own() -> None:
    """Two of one callback, and one of the next, are three timers."""
    room, _game = a_room(lambda c, _, t: (c.set_timer(1, "x"), c.set_timer(1, "x")))
    room.run(Started(), 0)
    room.run(Mailed("x", 1, b""), 0)
    assert len(room.timers) == 4


def test_a_repeating_timer_skips_what_it_missed_and_keeps_its_beat() -> None:
    """After an hour's pause it fires once, then at the next multiple (FM-24)."""
    room, game = a_room(lambda c, _, t: c.set_timer(10 * SECOND_US, "beat", id="t", every_us=10 * SECOND_US))
    room.run(Started(), 0)
    game.act = None
    fire(room, 10 * SECOND_US)
    assert room.next_due == (20 * SECOND_US, "t")
    fire(room, 3_604 * SECOND_US)
    assert room.next_due == (3_610 * SECOND_US, "t")


def test_a_timer_whose_callback_faults_is_gone_or_repeats_as_set() -> None:
    """A fault undoes what the code did, not that the timer fired."""

    def boom(*_: object) -> None:
        raise ValueError

    room, game = a_room(
        lambda c, _, t: ((c.set_timer(5_000, "once", id="once"), c.set_timer(6_000, "beat", id="beat", every_us=10)))
    )
    room.run(Started(), 0)
    game.act = boom
    fire(room, 5_000)
    fire(room, 6_000)
    assert list(room.timers) == ["beat"]
    assert room.next_due == (6_010, "beat")


def test_a_repeating_timer_may_cancel_itself() -> None:
    """In its own callback."""
    room, game = a_room(lambda c, _, t: c.set_timer(5_000, "beat", id="t", every_us=10))
    room.run(Started(), 0)
    game.act = lambda c, _, t: c.cancel_timer("t")
    fire(room, 5_000)
    assert room.next_due is None


def test_a_timer_that_is_set_again_and_again_does_not_pile_up() -> None:
    """An idle timeout is replaced at every input."""
    room, _game = a_room(lambda c, _, t: c.set_timer(c.now_us + 3_600 * SECOND_US, "idle", id="idle"))
    for _ in range(10 * STALE_TIMERS_MAX):
        room.run(Mailed("x", 1, b""), 0)
    assert len(room._due) <= STALE_TIMERS_MAX + 2
    assert room.next_due == (room.timers["idle"].due_us, "idle")


# --- requests, effects, mail ---


def test_a_question_stays_until_it_is_answered() -> None:
    """Through a movement, too; the answer finds what was asked, once."""
    room, game = a_room(lambda c, _, t: (c.ask(REQUEST), c.ask(REQUEST)))
    room.run(Started(), 0)
    first, second = room.requests
    room = again(room, game)
    assert room.requests == {first: REQUEST, second: REQUEST}
    asked = []
    game.act = lambda c, _, t: asked.append(c.request)
    room.run(Answered(first, "ok"), 0)
    assert asked == [REQUEST]
    assert list(room.requests) == [second]


def test_effects_are_numbered_by_service_until_acknowledged() -> None:
    """An effect's identity is (room, number); the number goes on after all were acknowledged (H6)."""

    def act(callback: Callback, cause: Cause, things: Table[Thing, str]) -> None:
        for service, body in (("a", b"1"), ("room:b", b"2"), ("a", b"3")):
            callback.effect(service, body)

    room, game = a_room(act)
    ran = room.run(Started(), 0)
    assert ran.effects == [("a", 1, b"1"), ("room:b", 1, b"2"), ("a", 2, b"3")]
    room.acknowledge_effect("a", 1)
    room = again(room, game)
    assert room.effects["a"].pending == [(2, b"3")]
    room.acknowledge_effect("a", 2)
    assert again(room, game).run(Mailed("b", 1, b""), 0).effects[0] == ("a", 3, b"1")


def test_a_new_branch_numbers_its_effects_above_all_that_a_lost_history_may_have_sent() -> None:
    """What a service has seen of the lost ones is not taken for these (FM-94); redo gives the same numbers."""
    room, game = a_room(lambda callback, cause, things: callback.effect("a", b"x"))
    assert room.run(Started(), 0).effects[0][1] == 1
    room.branch, before = 2, again(room, game)
    ran = room.run(Wake(), 0)
    assert (ran.effects[0][1], room.run(Wake(), 0).effects[0][1]) == (2 * 2**32 + 1, 2 * 2**32 + 2)
    assert ran.record is not None
    before.replay(ran.record, ran.data)
    assert before.effects["a"].pending == [(1, b"x"), (2 * 2**32 + 1, b"x")]


def test_mail_is_remembered_by_its_number() -> None:
    """So that mail sent again is recognised, after a movement as well."""
    room, game = a_room()
    room.run(Mailed("b", 1, b"x"), 0)
    room.run(Mailed("b", 2, b"y"), 0)
    assert again(room, game).mail_seen == {"b": 2}


# --- ends ---


def test_a_seat_whose_gateway_forgot_it_is_gone() -> None:
    """The game hears of it while the seat is still there; then nothing of it is left."""
    room, game = a_room()
    join(room)
    seen = []
    game.act = lambda c, _, t: seen.append(list(c.seats))
    room.run(Gone(ANN, 1), 0)
    assert seen == [[ANN]]
    assert (room.seats, room.open) == ({}, {})


def test_a_seat_that_the_host_ends_hears_why() -> None:
    """Also when the game's part of it faults; the end is the last output."""
    for act in (None, lambda c, _, t: c.output([ANN], Text("last\n")), lambda *_: 1 // 0):
        room, game = a_room()
        join(room)
        game.act = act
        room.run(Gone(ANN, 1, "too much unread text"), 0)
        assert outbox(room)[-1] == End("too much unread text")
        assert room.seats[ANN].closed


def test_a_closed_room_forgets_its_state() -> None:
    """An ephemeral room begins anew: rows, timers and questions are gone, also those that were in use."""
    room, game = a_room(lambda c, _, t: (t.setdefault("a", Thing()), c.set_timer(9, "x"), c.ask(REQUEST)))
    room.run(Started(), 0)
    game.act = None
    data = room.run(Closed(), 0)
    things = room.tables[THINGS.name]
    assert (room.started, room.timers, room.requests, room.next_due, list(things)) == (False, {}, {}, None, [])
    with pytest.raises(KeyError):
        things["a"]
    assert data.record is not None
    game.act = lambda c, _, t: t.setdefault("b", Thing())
    room.run(Started(), 0)
    assert list(again(room, Game()).tables[THINGS.name]) == ["b"]


def test_a_start_that_faults_is_tried_again() -> None:
    """The room has not started."""
    room, game = a_room(lambda *_: 1 // 0)
    room.run(Started(), 0)
    assert not room.started
    game.act = None
    room.run(Started(), 0)
    assert room.started


# --- one description of what a callback does: live, replayed, restored ---


def busy(callback: Callback, cause: Cause, things: Table[Thing, str]) -> None:
    """Game code that does a bit of everything, by its own dice; sometimes it fails."""
    dice = callback.random
    for _ in range(dice.randrange(4)):
        key = dice.choice("abcd")
        if dice.random() < 0.3:
            things.pop(key, None)
        else:
            things.setdefault(key, Thing()).names.append(str(callback.c))
    if dice.random() < 0.5:
        callback.output(list(callback.seats), Text(f"{callback.c}\n"))
    if dice.random() < 0.4:
        callback.set_timer(
            callback.now_us + dice.randrange(50), "x", id=dice.choice("tu"), every_us=dice.choice((0, 7))
        )
    if dice.random() < 0.2:
        callback.cancel_timer(dice.choice("tu"))
    if dice.random() < 0.2:
        callback.ask(REQUEST)
    if dice.random() < 0.2:
        callback.effect("mailer", bytes([callback.c % 256]))
    if dice.random() < 0.1 and callback.seats:
        callback.output([dice.choice(list(callback.seats))], dice.choice((Go("arena", -1), End("enough"))))
    if dice.random() < 0.15:
        raise ValueError(str(callback.c))


def any_cause(room: Room, dice: random.Random) -> Cause:
    """Something that may happen to the room now."""
    causes: list[Cause] = [Wake(), Mailed("b", room.mail_seen.get("b", 0) + 1, b"x")]
    if not room.started:
        return Started()
    causes += [TimerFired(id) for id in room.timers]
    causes += [Answered(id, "ok") for id in room.requests]
    for session in (ANN, BOB):
        seat = room.seats.get(session)
        if seat is None or seat.closed:
            causes.append(join_cause(session, 1 if seat is None else seat.j + 1))
        else:
            causes.append(Event(session, seat.j, seat.applied + 1, Input("x")))
            causes.append(Gone(session, seat.j, dice.choice(("", "slow"))))
    return dice.choice([*causes, *causes, Closed()])


def join_cause(session: str, j: int) -> Event:
    from_join, _ = a_room()
    record = join(from_join, session, j).record
    assert record is not None
    assert isinstance(record.cause, Event)
    return record.cause


@given(st.integers(0, 2**32), st.integers(1, 60))
@settings(max_examples=150, deadline=None)
def test_replaying_the_records_gives_the_live_value(seed: int, callbacks: int) -> None:
    """Redo runs no code and ends in the same value: rows, order, seats, outboxes, timers, questions, effects, hash."""
    dice = random.Random(seed)
    live = Room.new("hall", Game(busy), seed=SEED, clock_us=0)
    copy = Room.new("hall", Game(lambda *_: pytest.fail("ran")), seed=SEED, clock_us=0)
    for _ in range(callbacks):
        ran = live.run(any_cause(live, dice), dice.randrange(1_000))
        if ran.record is not None:
            copy.replay(decode_record(ran.data), ran.data)
            assert copy.last_digest == digest(ran.data)
        if dice.random() < 0.2:
            copy = again(copy, Game(lambda *_: pytest.fail("ran")))
            live = again(live, Game(busy))
        assert value(copy) == value(live)
        assert copy.state_hash() == live.state_hash()
        assert copy.next_due == live.next_due
        assert list(copy.open) == [session for session, seat in live.seats.items() if not seat.closed]


def test_a_record_out_of_order_or_of_another_history_is_not_booked() -> None:
    """The chain of digests joins a record to the state that it follows (FM-91)."""
    room, _ = a_room()
    first, second = room.run(Started(), 0), join(room)
    assert first.record is not None
    assert second.record is not None
    fresh, _ = a_room()
    with pytest.raises(AssertionError, match="record 2 after 0"):
        fresh.replay(second.record, second.data)
    other, _ = a_room()
    other.run(Mailed("x", 1, b""), 0)
    with pytest.raises(AssertionError, match="does not follow"):
        other.replay(second.record, second.data)


def test_a_capture_is_the_callers_own() -> None:
    """The room goes on; the captured body does not change any more (FM-18)."""
    room, game = a_room(lambda c, _, t: t.setdefault("a", Thing()))
    join(room)
    body = room.capture()
    kept = msgspec.msgpack.encode(body)
    game.act = spoil
    line(room, 1)
    room.seats[ANN].acknowledge(9)
    assert msgspec.msgpack.encode(body) == kept


def test_tables_of_unknown_modules_are_kept() -> None:
    """A module that is missing for a while finds its rows again, records for them included (FM-21)."""
    room, _game = a_room(lambda c, _, t: t.setdefault("a", Thing(count=7)))
    ran = room.run(Started(), 0)
    assert ran.record is not None
    without = Room.new("hall", Game(tables={}), seed=SEED, clock_us=1_000)
    without.replay(ran.record, ran.data)
    assert without.state_hash() == room.state_hash()
    back = again(again(room, Game(tables={})), Game())
    assert back.tables[THINGS.name]["a"].count == 7


def test_rows_that_the_program_cannot_read_refuse_the_restore() -> None:
    """Before anything runs; the captured rows are untouched."""
    room, _ = a_room(lambda c, _, t: t.setdefault("a", Thing()))
    room.run(Started(), 0)
    newer = {THINGS.name: TableSpec(THINGS.name, Thing, version=2)}
    with pytest.raises(SchemaError, match="no migration 1 -> 2"):
        again(room, Game(tables=newer))


def test_the_hash_covers_rows_timers_clock_and_seed_but_no_outbox() -> None:
    """What a player has not acknowledged is no part of the game's state (P2)."""
    room, _ = a_room(lambda c, _, t: c.output(list(c.seats), Text("x\n")))
    join(room)
    before = room.state_hash()
    room.seats[ANN].acknowledge(1)
    assert room.state_hash() == before == again(room).state_hash()
    other = Room.new("hall", Game(), seed=bytes(16), clock_us=1_000)
    assert len({other.state_hash(), a_room()[0].state_hash(), before}) == 3


def test_a_timer_is_a_value() -> None:
    """Plain data with defaults, so that records stay short."""
    assert Timer(1, "x") == Timer(1, "x", b"\x90", 0)
