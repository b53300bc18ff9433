"""What came of a copyover: one value for programs, for people, for the event log, the history and the exit code.

Every copyover makes exactly one report, whoever asked for it: the command line, an admin in a game, a signal, a
canary that goes back. The JSON names are fixed (docs/protocols.md); fields may be added.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec

from perdure.movement.report import (
    EXIT_DONE,
    EXIT_NOTHING_CHANGED,
    EXIT_PARTLY,
    Measured,
    Migration,
    PauseMs,
    ReloadReport,
    Step,
    rows_waiting,
    shortened,
)
from perdure.movement.report import exit_code as reload_exit_code
from perdure.movement.report import lines as reload_lines
from perdure.movement.wording import be, counted, listed, opened, sentence

Outcome = Literal["committed", "aborted", "partial", "tested", "interrupted"]
"""interrupted: the supervisor died in it; which host has which room is in the owner rows, and in `perdure rooms`."""
Trigger = Literal["command", "game", "signal", "canary"]


class Program(msgspec.Struct):
    """What a host is a process of.

    Attributes:
        version: Perdure's.
        python: "3.11.7".
        exe: The interpreter's file, links resolved.
        source: Hash over all that decides how it behaves: Perdure, Python, libraries, the games' code at its start.
        command: How it was started.
        generations: Game -> id of the code that it ran when it was replaced, or that it is to run.
        program: Hash as `source`, without the games' code; "" for a host that does not say it.
    """

    version: str = ""
    python: str = ""
    exe: str = ""
    source: str = ""
    command: list[str] = []
    generations: dict[str, str] = {}
    program: str = ""


class Programs(msgspec.Struct, rename={"from_": "from"}):
    """The program before and the one after."""

    from_: Program = msgspec.field(default_factory=Program)
    to: Program = msgspec.field(default_factory=Program)


class Builds(msgspec.Struct, rename={"from_": "from"}):
    """Build numbers; `to` is 0 as long as no successor is there. Equal: it is the same program."""

    from_: int = 0
    to: int = 0


class Sessions(msgspec.Struct):
    """Players over the copyover; lost: by no doing of their own."""

    kept: int = 0
    lost: int = 0


class KeptRoom(msgspec.Struct):
    """A room that did not move.

    Attributes:
        room: Which.
        at: The step at which it was kept; "" when its host did not say.
        reason: One line.
        host: Where it is now.
    """

    room: str
    at: str
    reason: str
    host: str = ""


class MovedRooms(msgspec.Struct):
    """How many rooms run in the successor, and which do not.

    Attributes:
        moved: How many its hosts have now.
        kept: The others.
        recovered: How many of the moved ones a host took over from one that died.
        proved: How many the successor copied, compared bit by bit, and can go on with.
    """

    moved: int = 0
    kept: list[KeptRoom] = []
    recovered: int = 0
    proved: int = 0


class Veto(msgspec.Struct):
    """A module's wish that its room is not moved now; `for_s` 0 is "I can't say for how long"."""

    room: str
    module: str
    reason: str
    for_s: float = 0.0


class CopyoverCanary(msgspec.Struct):
    """A copyover that was tried with some rooms first.

    Attributes:
        percent, watch_s: As asked.
        rooms: Which moved first.
        went_on: Whether the others followed.
        reason: Why, or why not.
        moved, unmoved: What was seen of both sides while watching.
        watched_s: How long that was.
        back: The report of the second copyover, with which it went back.
    """

    percent: float
    watch_s: float
    rooms: list[str] = []
    went_on: bool = False
    reason: str = ""
    moved: Measured = msgspec.field(default_factory=Measured)
    unmoved: Measured = msgspec.field(default_factory=Measured)
    watched_s: float = 0.0
    back: CopyoverReport | None = None


class Death(msgspec.Struct):
    """A host that died while it went on.

    Attributes:
        host: Which.
        how: "was killed by SIGKILL", "exited with code 1".
        served: Whether it had rooms before the copyover.
    """

    host: str
    how: str
    served: bool = False


class CopyoverReport(msgspec.Struct):
    """What came of one copyover.

    Attributes:
        outcome: See Outcome.
        aborted_at: The step at which, or before which, it ended; None when it did not end early.
        reason: Why it is not "committed", in one line that says what to do; "" when it is.
        serving: The host that serves now.
        build, program: Before and after.
        sessions, rooms, pause_ms: What became of players and rooms. `pause_ms` is per room.
        freeze_ms: The longest that an input waited for its acknowledgement meanwhile.
        bytes: Size of the rooms that were copied.
        hash_mismatches: Rooms whose copy was not the same, bit by bit.
        steps: How long each took; those of a move are added up over all rooms.
        id: Its number, rising for ever in one state folder.
        at: When it began, wall clock.
        by, trigger: Who asked, if it was somebody in a game, and how.
        key: What a request in a game is known by, so that it is answered once.
        partial, test, quiet, to: How it was asked for.
        warnings: What somebody should know although nothing failed.
        vetoes: Why it did not begin.
        canary: Set when it was tried with some rooms first.
        migrations: What becomes of rows under the new code.
        reloads: What the code on disk, or the one gone back to, came to in the successor.
        deaths: Hosts that died on the way.
        cancelled: Whether somebody called it off.
        of: Number of the copyover whose canary this one brought back; 0 for any other.
    """

    outcome: Outcome = "aborted"
    aborted_at: str | None = None
    reason: str = ""
    serving: str = ""
    build: Builds = msgspec.field(default_factory=Builds)
    sessions: Sessions = msgspec.field(default_factory=Sessions)
    rooms: MovedRooms = msgspec.field(default_factory=MovedRooms)
    pause_ms: PauseMs = msgspec.field(default_factory=PauseMs)
    freeze_ms: float = 0.0
    bytes: int = 0
    hash_mismatches: int = 0
    steps: list[Step] = []
    id: int = 0
    at: str = ""
    by: str = ""
    trigger: Trigger = "command"
    key: str = ""
    partial: bool = False
    test: bool = False
    quiet: bool = False
    to: str = ""
    warnings: list[str] = []
    vetoes: list[Veto] = []
    canary: CopyoverCanary | None = None
    migrations: list[Migration] = []
    reloads: list[ReloadReport] = []
    program: Programs = msgspec.field(default_factory=Programs)
    deaths: list[Death] = []
    cancelled: bool = False
    of: int = 0


def exit_code(report: CopyoverReport) -> int:
    """0: committed, or a test that would have been. 3: aborted, the old side serves. 5: partly done."""
    if report.outcome in ("committed", "tested"):
        return EXIT_DONE
    return EXIT_NOTHING_CHANGED if report.outcome == "aborted" else EXIT_PARTLY


def decode(answer: object) -> CopyoverReport:
    """The report in an answer or in the history; fields that are not known here are passed over."""
    return msgspec.convert(answer, CopyoverReport)


def event(report: CopyoverReport) -> dict[str, Any]:
    """The event at the end: `copyover`, or `copyover-failed` when it is not as it was asked for.

    `text` is the whole report for people, on one line.
    """
    short = shortened(report)
    del short["reloads"]  # each has an event of its own
    kind = "copyover-failed" if exit_code(report) else "copyover"
    return {"kind": kind, "text": " ".join(lines(report)), "report": short}


# -- for people -----------------------------------------------------------------------------------------


def lines(report: CopyoverReport) -> list[str]:
    """The report for people: what happened first, then a line for each thing that somebody should know or do."""
    return [
        _summary(report),
        *_programs(report),
        *_deaths(report),
        *_kept(report.rooms.kept),
        *_advice(report),
        *_sessions(report),
        *_migrations(report),
        *_canary(report),
        *_reloads(report.reloads),
        *(opened(warning) for warning in report.warnings),
    ]


def told(report: CopyoverReport) -> str:
    """The report in a history: one line."""
    number = f"{report.id}  {report.at[:19].replace('T', ' ')}  {named(report)}"
    return f"{number}: {_what(report)}" + (f" {opened(report.reason)}" if report.reason else "")


def named(report: CopyoverReport) -> str:
    """The outcome in a word, for people."""
    return "cancelled" if report.cancelled and report.outcome == "aborted" else report.outcome


def _summary(report: CopyoverReport) -> str:
    outcome = "test passed" if report.outcome == "tested" else named(report)
    back = f" (the canary of copyover {report.of} went back)" if report.of else ""
    who = f" Asked for by {report.by}." if report.by else ""
    why = f" {opened(report.reason)}" if report.reason else ""
    return f"Copyover {outcome}{back}: {_what(report)}{why}{who}"


def _what(report: CopyoverReport) -> str:
    rooms = counted(report.rooms.moved, "room")
    moved = f"{rooms} moved{_pauses(report)}"
    builds = f"build {report.build.to}"
    if report.build.to != report.build.from_:
        builds += f" instead of {report.build.from_}"
    match report.outcome:
        case "committed":
            return f"{report.serving} serves with {builds}; {moved}."
        case "partial":
            kept = counted(len(report.rooms.kept), "room")
            return f"{report.serving} serves with {builds}; {moved}, {kept} did not."
        case "tested":
            proved = counted(report.rooms.proved, "room")
            return f"{proved} would move to build {report.build.to}. Nothing was moved; {report.serving} serves."
        case "interrupted":
            return "the supervisor died in it. Where each room is now: perdure rooms."
        case "aborted":
            serving = report.serving or "what served before"
            if report.canary is not None and report.canary.back is not None:
                return f"some rooms moved, and moved back; {serving} serves as before."
            silent = report.cancelled or report.vetoes or not report.aborted_at
            where = "" if silent else f", it ended at {report.aborted_at}"
            again = "serves again" if any(death.served for death in report.deaths) else "serves as before"
            return f"nothing was changed{where}; {serving} {again}."


def _pauses(report: CopyoverReport) -> str:
    told = [
        f"longest {name} {_ms(ms)}" for name, ms in (("pause", report.pause_ms.max), ("freeze", report.freeze_ms)) if ms
    ]
    return f" ({', '.join(told)})" if report.rooms.moved and told else ""


def _ms(ms: float) -> str:
    return f"{ms:.1f} ms" if ms < 100 else f"{ms:,.0f} ms"


def _programs(report: CopyoverReport) -> Iterator[str]:
    old, new = report.program.from_, report.program.to
    if not new.source:
        return
    changed = [
        f"{name} {after} instead of {before}"
        for name, before, after in (
            ("Perdure", old.version, new.version),
            ("Python", old.python, new.python),
            ("interpreter", old.exe, new.exe),
        )
        if before != after and before
    ]
    if changed:
        yield f"The successor: {', '.join(changed)}."


def _deaths(report: CopyoverReport) -> Iterator[str]:
    """Where the reason does not tell them already."""
    for death in report.deaths:
        if death.how not in report.reason:
            recovered = report.rooms.recovered
            what = f"; {counted(recovered, 'room')} {be(recovered, past=True)} recovered" if recovered else ""
            yield f"{death.host}{', the old host,' if death.served else ''} {death.how}{what}."


def _advice(report: CopyoverReport) -> Iterator[str]:
    """What to do about rooms that stay."""
    hosts = sorted({room.host for room in report.rooms.kept} - {"", report.serving})
    if hosts and report.outcome in ("committed", "partial"):
        room = report.rooms.kept[0].room if len(report.rooms.kept) == 1 else "ROOM"
        yield f"To move what stays: perdure room move {room} {report.serving}. The next copyover takes it along, too."


def _kept(kept: Sequence[KeptRoom]) -> Iterator[str]:
    groups: dict[tuple[str, str, str], list[str]] = {}
    for one in kept:
        groups.setdefault((one.host, one.at, one.reason), []).append(one.room)
    for (host, at, reason), rooms in groups.items():
        where = f" in {host}" if host else ""
        stay = "stays" if len(rooms) == 1 else "stay"
        yield f"{listed(rooms)} {stay}{where}{f' (at {at})' if at else ''}: {sentence(reason)}"


def _sessions(report: CopyoverReport) -> Iterator[str]:
    if report.sessions.lost:
        lost = report.sessions.lost
        yield f"{counted(lost, 'session')} {be(lost, past=True)} lost, {report.sessions.kept:,} kept."


def _migrations(report: CopyoverReport) -> Iterator[str]:
    for migration in report.migrations:
        versions = f" from version {migration.from_} to {migration.to}" if migration.from_ != migration.to else ""
        lost = ", and something in them is lost" if migration.destructive else ""
        what = f": {migration.what}" if migration.what else ""
        rows = counted(migration.rows, "row")
        verb = "would be" if report.test else be(migration.rows)
        yield f"{rows} of {migration.table} {verb} converted{versions} when first touched{lost}{what}."


def _canary(report: CopyoverReport) -> Iterator[str]:
    canary = report.canary
    if canary is None or not canary.rooms:
        return
    went, rooms = "went on to all rooms" if canary.went_on else "went back", counted(len(canary.rooms), "room")
    yield f"The canary in {rooms} {went} after {canary.watched_s:.1f} s: {sentence(canary.reason)}"
    if (back := canary.back) is not None:
        way = f"{counted(back.rooms.moved, 'room')} moved to {back.serving}{_pauses(back)}."
        yield _summary(back) if exit_code(back) else f"The way back: {way}"


def _reloads(reloads: Sequence[ReloadReport]) -> Iterator[str]:
    for reload in reloads:
        told = reload_lines(reload)
        if reload_exit_code(reload):
            yield from told
        elif reload.changed or reload.rooms.swapped:
            yield told[0]
            yield from rows_waiting(reload)
