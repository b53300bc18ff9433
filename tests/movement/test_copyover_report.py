"""The report of a copyover: what programs, people, the event log and the exit code are told by the same value."""

import msgspec
import pytest

from perdure.errors import ContractError, MovementAborted
from perdure.movement.copyover_report import (
    Builds,
    CopyoverCanary,
    CopyoverReport,
    KeptRoom,
    MovedRooms,
    Outcome,
    Program,
    Programs,
    Sessions,
    Veto,
    decode,
    event,
    exit_code,
    lines,
    told,
)
from perdure.movement.copyover_rules import (
    MovedRoom,
    Prepared,
    Refused,
    Stored,
    check_vetoes,
    choose,
    closing,
    find_stored,
    move_steps,
    outcome,
    pauses,
)
from perdure.movement.plan import COPYOVER, split_at_commit
from perdure.movement.report import KEPT_MAX, Orphan, PauseMs, ReloadReport, Rooms, encode
from perdure.movement.room_move_report import RoomMoveReport, line
from perdure.movement.room_move_report import event as move_event
from perdure.movement.room_move_report import exit_code as move_exit_code
from perdure.supervisor.events import sentence

PROMISED = {
    "outcome": "committed",
    "aborted_at": None,
    "reason": "",
    "serving": "host-2",
    "build": {"from": 6, "to": 7},
    "sessions": {"kept": 10, "lost": 0},
    "rooms": {"moved": 10, "kept": []},
    "pause_ms": {"p50": 1.0, "max": 2.0},
    "freeze_ms": 42.0,
    "bytes": 1000,
    "hash_mismatches": 0,
    "steps": [{"name": "boot", "ms": 900.0}],
}
"""What docs/protocols.md promises to programs."""


def done(**fields: object) -> CopyoverReport:
    report = decode({**PROMISED, "id": 3, "at": "2026-01-01T12:00:00.000Z"})
    return msgspec.structs.replace(report, **fields)


def test_the_json_is_what_programs_were_promised() -> None:
    """Fields may be added, none goes or changes."""
    encoded = encode(done())
    assert encoded["rooms"].pop("recovered") == 0
    assert encoded["rooms"].pop("proved") == 0
    assert {key: encoded[key] for key in PROMISED} == PROMISED
    assert decode({**encoded, "from_the_future": 1}) == done()


@pytest.mark.parametrize(
    ("name", "code"), [("committed", 0), ("tested", 0), ("aborted", 3), ("partial", 5), ("interrupted", 5)]
)
def test_every_outcome_has_its_exit_code_and_event(name: Outcome, code: int) -> None:
    """0 done, 3 all is as it was, 5 something in between; the event's text is the report."""
    report = done(outcome=name, reason="because", aborted_at="boot")
    assert exit_code(report) == code
    emitted = event(report)
    assert emitted["kind"] == ("copyover" if code == 0 else "copyover-failed")
    assert sentence({"seq": 1, "at": "", **emitted}) == " ".join(lines(report))
    assert name in told(report)


def test_people_read_what_happened_what_is_true_and_what_to_do() -> None:
    """One line for each thing that somebody should know."""
    assert lines(done()) == [
        (
            "Copyover committed: host-2 serves with build 7 instead of 6; 10 rooms moved "
            "(longest pause 2.0 ms, longest freeze 42.0 ms)."
        )
    ]
    aborted = done(outcome="aborted", aborted_at="boot", reason="host-2 exited with code 1", serving="host-1", by="ada")
    assert lines(aborted) == [
        (
            "Copyover aborted: nothing was changed, it ended at boot; host-1 serves as before. "
            "host-2 exited with code 1. Asked for by ada."
        )
    ]
    partial = done(
        outcome="partial",
        reason="the successor host-2 killed by SIGKILL",
        rooms=MovedRooms(5, [KeptRoom("a", "stop", "it died", "host-1"), KeptRoom("b", "stop", "it died", "host-1")]),
        sessions=Sessions(9, 1),
        program=Programs(Program("0.1", python="3.11.7", source="x"), Program("0.2", python="3.12.1", source="y")),
        warnings=["one thing"],
    )
    assert lines(partial)[1:] == [
        "The successor: Perdure 0.2 instead of 0.1, Python 3.12.1 instead of 3.11.7.",
        "a, b stay in host-1 (at stop): it died.",
        "To move what stays: perdure room move ROOM host-2. The next copyover takes it along, too.",
        "1 session was lost, 9 kept.",
        "One thing.",
    ]


def test_a_canary_and_failed_reloads_are_told_with_it() -> None:
    """Going back is one line; of a reload that failed everything is told, of a clean one what it changed and hid."""
    canary = CopyoverCanary(20, 60, ["a"], False, "5 faults", watched_s=2.5, back=done(trigger="canary", of=3))
    report = done(outcome="aborted", canary=canary, reloads=[ReloadReport("mud", aborted="it broke")])
    text = "\n".join(lines(report))
    assert text.splitlines()[:3] == [
        "Copyover aborted: some rooms moved, and moved back; host-2 serves as before.",
        "The canary in 1 room went back after 2.5 s: 5 faults.",
        "The way back: 10 rooms moved to host-2 (longest pause 2.0 ms, longest freeze 42.0 ms).",
    ]
    assert "mud: nothing was changed: it broke." in text
    clean = [ReloadReport("mud", refreshed=["talk"], rooms=Rooms(2)), ReloadReport("chess")]
    assert lines(done(reloads=clean))[1:] == ["mud: talk is new in 2 rooms (longest pause 0.0 ms)."]
    hidden = ReloadReport("mud", refreshed=["talk"], rooms=Rooms(2), orphans=[Orphan("a", "talk.tales", "row")])
    assert lines(done(reloads=[hidden]))[2].startswith("1 row of talk.tales in 1 room waits, and nothing is lost: ")
    assert event(report)["report"]["canary"]["back"] is None


def test_the_event_log_keeps_the_beginning_of_long_lists() -> None:
    """Thousands of rooms are in the history, not in every event."""
    many = MovedRooms(0, [KeptRoom(f"r{n}", "stop", "-") for n in range(100)])
    assert len(event(done(outcome="partial", rooms=many))["report"]["rooms"]["kept"]) == KEPT_MAX


def test_a_copyover_can_be_taken_back_until_a_room_is_committed() -> None:
    """What is left of the commit has stopped nothing for good."""
    reversible, binding = split_at_commit(COPYOVER)
    assert [step.name for step in reversible] == ["build", "boot", "prepare", "stop", "offer", "verify"]
    assert [step.name for step in binding] == ["commit", "route", "release"]


# --- decisions ---


def test_vetoes_say_who_why_and_for_how_long() -> None:
    """So that somebody knows when to try again."""
    assert check_vetoes([]) == ""
    assert check_vetoes([Veto("a", "auction", "a bid runs", 40), Veto("b", "duel", "a duel runs")]) == (
        "vetoed by 2 modules: a: auction says 'a bid runs', for 40 s more, b: duel says 'a duel runs'. "
        "Try again in 40 s."
    )


def test_refused_rooms_end_it_or_stay() -> None:
    """Without --partial one of them is enough; with it one has to be left."""
    prepared = [Prepared(refused=[Refused("a", "no migration")])]
    with pytest.raises(MovementAborted, match=r"refuses room a: no migration\. .*--partial"):
        choose(["a", "b"], prepared, partial=False)
    chosen = choose(["a", "b"], prepared, partial=True)
    assert (chosen.rooms, [room.room for room in chosen.kept]) == (["b"], ["a"])
    with pytest.raises(MovementAborted, match="Mend that first"):
        choose(["a"], prepared, partial=True)


@pytest.mark.parametrize(
    ("committed", "failed", "died", "expected"),
    [(0, 0, False, "committed"), (0, 1, False, "aborted"), (0, 0, True, "aborted"), (5, 0, False, "committed"),
     (5, 1, False, "partial"), (5, 0, True, "committed"), (5, 5, True, "partial")],
)  # fmt: skip
def test_the_outcome_follows_from_what_was_committed(committed: int, failed: int, died: bool, expected: str) -> None:
    """Aborted only if nothing was; a server without rooms is committed, too."""
    assert outcome(committed, [KeptRoom("a", "verify", "-")] * failed, died=died) == expected


def test_pauses_and_steps_are_those_of_the_rooms() -> None:
    """A room that was recovered has none."""
    rooms = [MovedRoom("a", 1.0, {"stop": 0.5, "commit": 1.0}), MovedRoom("b", 3.0, {"stop": 0.5}), MovedRoom("c")]
    assert pauses(rooms) == PauseMs(3.0, 3.0)  # the one without a pause was recovered, not moved
    assert {step.name: step.ms for step in move_steps(rooms)}["stop"] == 1.0
    assert pauses([]) == PauseMs()


def test_previous_is_what_the_last_real_copyover_replaced() -> None:
    """Aborted ones, and those to the same program, are passed over (FM-90)."""
    stored = [Stored(number, Program(program=f"p{number}")) for number in (1, 2, 3)]
    serving = stored[2]
    history = [
        done(build=Builds(1, 2)),
        done(build=Builds(2, 3)),
        done(build=Builds(3, 3)),
        done(build=Builds(3, 9), outcome="aborted"),
    ]
    assert find_stored("previous", stored, history, serving).build == 2
    assert find_stored("1", stored, history, serving).build == 1
    for to, why in (("3", "3 is the program that serves"), ("9", r"of a build 9 is kept.* way back to build 1, 2\.")):
        with pytest.raises(ContractError, match=why):
            find_stored(to, stored, history, serving)
    with pytest.raises(ContractError, match="No earlier program"):
        find_stored("previous", stored, [], serving)
    same = [stored[0], Stored(2, serving.program), serving]
    assert find_stored("previous", same, history, serving).build == 1


@pytest.mark.parametrize(
    ("fields", "cancelled", "died", "phase"),
    [
        ({}, False, False, "done"),
        ({"outcome": "partial"}, False, True, "recovered"),
        ({"outcome": "aborted"}, True, False, "cancelled"),
        ({"outcome": "aborted", "vetoes": [Veto("a", "m", "r")]}, False, False, "vetoed"),
        ({"outcome": "aborted", "aborted_at": "build"}, False, False, "build_failed"),
        ({"outcome": "aborted", "aborted_at": "prepare"}, False, True, "recovered"),
        ({"outcome": "aborted", "aborted_at": "prepare"}, False, False, "failed"),
    ],
)
def test_players_are_told_the_end_that_it_came_to(
    fields: dict[str, object], cancelled: bool, died: bool, phase
) -> None:
    """One line."""
    assert closing(done(**fields), cancelled=cancelled, died=died) == phase


def test_a_single_rooms_move_has_a_report_of_its_own() -> None:
    """It names the step and who runs the room."""
    moved = RoomMoveReport("r", "host-1", "host-2", "moved", serving="host-2", pause_ms=1.5)
    assert line(moved) == "Room r moved from host-1 to host-2 (it stood still for 1.5 ms)."
    kept = RoomMoveReport("r", "host-1", "host-2", aborted_at="verify", reason="another hash", serving="host-1")
    assert line(kept) == "Room r was not moved: it ended at verify: another hash. host-1 runs it."
    assert (move_exit_code(moved), move_exit_code(kept)) == (0, 3)
    assert [move_event(one)["kind"] for one in (moved, kept)] == ["room-moved", "room-move-failed"]
