"""The report of a reload: what programs, people, the event log and the exit code are told by the same value."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.movement.report import (
    EXIT_DONE,
    EXIT_NOTHING_CHANGED,
    EXIT_PARTLY,
    KEPT_MAX,
    Canary,
    Failed,
    Generations,
    Held,
    Measured,
    Migration,
    Orphan,
    PauseMs,
    RefusedRoom,
    ReloadReport,
    Rooms,
    Step,
    Warned,
    canary_event,
    decode,
    encode,
    event,
    exit_code,
    lines,
    refusal_event,
)
from perdure.supervisor.events import sentence

FIXED = {
    "refreshed": [],
    "added": [],
    "removed": [],
    "failed": [{"module": "places", "file": "/srv/mud/places.py", "line": 12, "message": "invalid syntax"}],
    "held": [{"module": "shop", "because": "places did not load"}],
    "rooms": {"swapped": 3, "refused": [{"room": "arena", "reason": "it is aside"}]},
    "pause_ms": {"p50": 0.1, "max": 0.4},
    "migrations": [],
    "orphans": [],
    "needs_copyover": [],
}
"""What docs/protocols.md promises to programs."""

FAILED = Failed("places", "/srv/mud/places.py", 12, "invalid syntax")
ROWS_WAIT = Orphan("a", "inn.mugs", "row", 2)
RENAMED = 'Was the class renamed? Write stored_as = "inn" in it. A table? Give it its old name back.'
REFUSED = RefusedRoom("arena", "table inn.mugs: no migration 1 -> 2. Add it.")
NAMES = st.lists(st.sampled_from(["talk", "shop", "places", "data/creatures.toml", ""]), unique=True, max_size=3)


@st.composite
def reports(draw: Any) -> ReloadReport:
    """Reports of every kind, also of combinations that no reload makes."""
    canary = draw(st.none() | st.builds(Canary, percent=st.just(10), watch_s=st.just(30), went_on=st.booleans()))
    migration = st.builds(
        Migration, table=st.just("inn.mugs"), from_=st.just(1), to=st.just(2), failed=st.integers(0, 1)
    )
    return ReloadReport(
        "mud",
        refreshed=draw(NAMES),
        added=draw(NAMES),
        removed=draw(NAMES),
        failed=draw(st.lists(st.just(FAILED), max_size=1)),
        held=draw(st.lists(st.just(Held("shop", "places")), max_size=1)),
        rooms=Rooms(draw(st.integers(0, 20)), draw(st.lists(st.just(REFUSED), max_size=2))),
        migrations=draw(st.lists(migration, max_size=1)),
        orphans=draw(st.lists(st.builds(Orphan, room=st.just("a"), handler=st.just("a.b")), max_size=2)),
        waiting=draw(st.lists(st.just("late"), max_size=1)),
        warnings=draw(st.lists(st.just(Warned("talk", "/srv/mud/talk.py", 3, "starts a thread")), max_size=1)),
        steps=[Step("build", 1.5)],
        canary=canary,
        dry_run=draw(st.booleans()),
        aborted=draw(st.sampled_from(["", "", "the disk is full"])),
        trigger=draw(st.sampled_from(["watch", "command", "game", "start", "canary"])),
        update=draw(st.sampled_from(["now", "idle", "match"])),
    )


def test_the_json_has_the_documented_names() -> None:
    """Names that programs rely on are there, with their shapes; further ones may be."""
    report = ReloadReport(
        "mud",
        failed=[FAILED],
        held=[Held("shop", "places did not load")],
        rooms=Rooms(3, [RefusedRoom("arena", "it is aside")]),
        pause_ms=PauseMs(0.1, 0.4),
        generation=Generations("a", "b"),
    )
    encoded = encode(report)
    assert encoded["generation"] == {"from": "a", "to": "b"}
    encoded["failed"][0].pop("serving")
    assert {name: encoded[name] for name in FIXED} == FIXED


@given(reports())
def test_a_report_survives_the_wire(report: ReloadReport) -> None:
    """As JSON, back, and with fields of a later version."""
    answer = msgspec.json.decode(msgspec.json.encode(encode(report)))
    assert decode(answer) == report
    assert decode({**answer, "from_a_later_version": 1}) == report


@given(reports())
def test_zero_is_only_for_what_is_live_as_it_lies_on_disk(report: ReloadReport) -> None:
    """Exit 0 without failures, held modules and refusals; 3 leaves all as it was; 5 is everything between."""
    wrong = bool(report.failed or report.held or report.rooms.refused or report.aborted)
    wrong |= any(m.failed for m in report.migrations)
    wrong |= report.canary is not None and not report.canary.went_on
    assert (exit_code(report) == EXIT_DONE) == (not wrong)
    if exit_code(report) == EXIT_PARTLY:
        assert report.changed
        assert not report.aborted
        assert report.rooms.swapped or report.waiting or not report.rooms.refused
    if exit_code(report) == EXIT_NOTHING_CHANGED and not report.aborted and not report.canary:
        assert not report.changed or not report.rooms.swapped


@given(reports())
def test_every_line_is_one_line_that_names_the_game_first(report: ReloadReport) -> None:
    """Nothing is told twice, nothing breaks a line, every sentence ends."""
    told = lines(report)
    assert told[0].startswith("mud")
    assert all("\n" not in line and line.endswith(".") and ".." not in line and "  " not in line for line in told)
    assert len(told) == len(set(told)) or report.rooms.refused


@given(reports())
def test_a_reload_is_one_event_on_one_line(report: ReloadReport) -> None:
    """Who follows the events reads what happened to their save, with every failure and its place."""
    told = event(report)
    assert told["kind"] == ("reload-failed" if exit_code(report) == EXIT_NOTHING_CHANGED else "reloaded")
    line = sentence({"seq": 1, "at": "", **told})
    assert "\n" not in line
    if report.failed:
        assert "places.py:12: invalid syntax." in line
    assert decode(told["report"]).refreshed == report.refreshed


def test_the_event_of_a_large_reload_is_bounded() -> None:
    """A thousand refused rooms fit into an event log of 4 MiB, a hundred times over."""
    refused = [RefusedRoom(f"room-{n}", f"reason {n} " + "x" * 200) for n in range(1000)]
    many = [f"room-{n}" for n in range(1000)]
    canary = Canary(10, 30, many, back=ReloadReport("mud", waiting=many))
    told = event(ReloadReport("mud", refreshed=["talk"], rooms=Rooms(1, refused), waiting=many, canary=canary))
    assert len(msgspec.json.encode({**told, "text": ""})) < 40_000
    assert len(told["report"]["rooms"]["refused"]) == KEPT_MAX


BACK = ReloadReport("mud", trigger="canary", refreshed=["talk"], rooms=Rooms(2))
LIVE = {"refreshed": ["talk", "shop"], "rooms": Rooms(14), "pause_ms": PauseMs(0.2, 0.4)}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (LIVE, "mud: talk, shop are new in 14 rooms (longest pause 0.4 ms)."),
        ({**LIVE, "refreshed": ["talk"], "rooms": Rooms(1)}, "mud: talk is new in 1 room (longest pause 0.4 ms)."),
        (
            {**LIVE, "refreshed": ["talk"], "added": ["brawl"], "removed": ["songs", "old"]},
            "mud: talk is new, brawl is added, songs, old are removed in 14 rooms (longest pause 0.4 ms).",
        ),
        ({**LIVE, "dry_run": True}, "mud: talk, shop would be new in 14 rooms. A dry run: nothing was changed."),
        (
            {**LIVE, "trigger": "game", "by": "Ada"},
            "mud: talk, shop are new in 14 rooms (longest pause 0.4 ms). Asked for by Ada.",
        ),
        ({**LIVE, "trigger": "start"}, "mud, at the start: talk, shop are new in 14 rooms (longest pause 0.4 ms)."),
        (
            {"refreshed": [f"m{n}" for n in range(20)]},
            "mud: m0, m1, m2, m3, m4, m5, m6, m7 and 12 more are new for the rooms to come.",
        ),
        ({"refreshed": [""], "rooms": Rooms(2)}, "mud: mud is new in 2 rooms (longest pause 0.0 ms)."),
        (
            {**LIVE, "refreshed": ["places", "shop", "talk"], "failed": [FAILED], "held": [Held("shop", "")]},
            "mud: talk is new in 14 rooms (longest pause 0.4 ms).",
        ),
        ({}, "mud: nothing to do: all of it runs already."),
        ({"failed": [FAILED]}, "mud: nothing was changed."),
        ({"aborted": "the disk is full", "failed": [FAILED]}, "mud: nothing was changed: the disk is full."),
        ({"refreshed": ["talk"], "waiting": ["a", "b"], "update": "match"}, "mud: talk is new once 2 rooms take it."),
        ({"refreshed": ["talk"], "rooms": Rooms(0, [REFUSED])}, "mud: talk is new in no room."),
        ({"rooms": Rooms(2)}, "mud: the code on disk is live in 2 rooms (longest pause 0.0 ms)."),
    ],
)  # fmt: skip
def test_the_first_line_says_what_is_live_now(fields: dict[str, Any], told: str) -> None:
    """In the words of the builder who saved a file."""
    assert lines(ReloadReport("mud", **fields))[0] == told


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"failed": [FAILED]}, "places.py:12: invalid syntax. The last good code of places serves."),
        (
            {"failed": [Failed("items.brawl", "/srv/mud/items/brawl.py", 1, "no such name", serving=False)]},
            "items/brawl.py:1: no such name. items.brawl is left out until it loads.",
        ),
        (
            {"failed": [Failed("data/creatures.toml", "/srv/mud/data/creatures.toml", 7, "no such key.")]},
            "data/creatures.toml:7: no such key. The last good code of data/creatures.toml serves.",
        ),
        (
            {"failed": [Failed("items", "/srv/mud/items/__init__.py", 2, "no")]},
            "items/__init__.py:2: no. The last good code of items serves.",
        ),
        (
            {"failed": [Failed("", "/srv/mud/__init__.py", 2, "no")]},
            "mud/__init__.py:2: no. The last good code of mud serves.",
        ),
        ({"failed": [Failed("talk", "", 0, "two\nlines")]}, "talk: two lines. The last good code of talk serves."),
        ({"failed": [FAILED], "aborted": "places did not load", "atomic": True}, "places.py:12: invalid syntax."),
        ({"held": [Held("shop", "places did not load")]}, "shop keeps its last good code: places did not load."),
        (
            {"rooms": Rooms(1, [REFUSED, RefusedRoom("world", REFUSED.reason)])},
            "arena, world keep their old code: table inn.mugs: no migration 1 -> 2. Add it.",
        ),
        ({"waiting": ["a"], "update": "idle"}, "a takes it when nobody is there (update = idle)."),
        (
            {"migrations": [Migration("inn.mugs", 1, 2, 1200, what="sips goes, ml comes")]},
            "1,200 rows of inn.mugs are converted from version 1 to 2 when first touched: sips goes, ml comes.",
        ),
        (
            {"migrations": [Migration("inn.mugs", 1, 2, 3, destructive=True)]},
            "3 rows of inn.mugs are converted from version 1 to 2 when first touched, and something in them is lost.",
        ),
        (
            {"migrations": [Migration("inn.mugs", 1, 2, 3, failed=1, error="KeyError: 'sips'")]},
            "1 row of inn.mugs cannot be: KeyError: 'sips'.",
        ),
        (
            {"orphans": [Orphan("a", "inn.bang", count=2), Orphan("b", "inn.bang")]},
            "3 timers for inn.bang in a, b wait until it is there again, or: --drop-orphans.",
        ),
        ({"orphans": [Orphan("a", "inn.bang", dropped=True)]}, "1 timer for inn.bang in a was dropped."),
        (
            {"orphans": [ROWS_WAIT, Orphan("b", "inn.mugs", "row"), Orphan("a", "inn.beds", "row")]},
            "3 rows of inn.mugs, 1 row of inn.beds in 2 rooms wait, and nothing is lost: the code has no such tables. "
            + RENAMED,
        ),
        (
            {"orphans": [Orphan("b", "inn.mugs", "row")]},
            "1 row of inn.mugs in 1 room waits, and nothing is lost: the code has no such table. " + RENAMED,
        ),
        ({"warnings": [Warned("talk", "/srv/mud/talk.py", 3, "starts a thread")]}, "talk.py:3: starts a thread."),
        (
            {"needs_copyover": ["msgspec"]},
            "msgspec changed outside of the game: a reload cannot reach that, the host's next start does.",
        ),
        (
            {"canary": Canary(10, 30, ["a"], True, "no faults", Measured(1, 9))},
            "The canary in 1 room went on to all rooms after 30 s: no faults.",
        ),
        (
            {"canary": Canary(10, 30, ["a", "b"], False, "3 faults", back=BACK)},
            "mud, going back: talk is new in 2 rooms (longest pause 0.0 ms).",
        ),
    ],
)  # fmt: skip
def test_each_thing_to_know_or_do_has_a_line(fields: dict[str, Any], told: str) -> None:
    """What happened, what is true now, what to do."""
    assert told in lines(ReloadReport("mud", **fields))


def test_a_canary_that_was_not_tried_is_told_once() -> None:
    """Why not stands in the first line; nothing went back."""
    report = ReloadReport("mud", canary=Canary(10, 30, reason="no way back"), aborted="no way back")
    assert lines(report) == ["mud: nothing was changed: no way back."]


def test_events_around_a_reload_read_well() -> None:
    """A canary that watches, and somebody who may not reload."""
    watching = sentence({"seq": 1, "at": "", **canary_event("mud", 2, 20, 30.0)})
    assert watching == "mud: 2 of 20 rooms run the new code and are watched for 30.0 s"
    refused = sentence({"seq": 1, "at": "", **refusal_event("mud", "world", "Mallory", "player")})
    assert refused == "Mallory (player) typed @reload in room world and may not: nothing happened"
