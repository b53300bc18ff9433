"""What a copyover decides: whether it may begin, which rooms move, what came of it. Values in, values out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from perdure.announcements import Phase
from perdure.errors import ContractError, MovementAborted
from perdure.movement.copyover_order import PREVIOUS
from perdure.movement.copyover_report import CopyoverReport, KeptRoom, Outcome, Program, Veto
from perdure.movement.report import Migration, PauseMs, Step
from perdure.movement.wording import counted, listed, sentence

MOVE_STEPS = ("stop", "offer", "verify", "commit", "route", "release")
UNKNOWN_STEP = ""
"""At which step a room was kept when its host did not say."""

State = Literal["idle", "scheduled", "preparing", "moving", "recovering"]


class Speaks(Protocol):
    """What a host says of itself once it is ready; see `copyover_report.Program`.

    Attributes:
        link, snapshot, journal, control: Lowest and highest version of each; empty when it does not say.
    """

    @property
    def version(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def program(self) -> str: ...
    @property
    def python(self) -> str: ...
    @property
    def exe(self) -> str: ...
    @property
    def journal(self) -> Sequence[int]: ...
    @property
    def generations(self) -> Mapping[str, str]: ...


class Opened(msgspec.Struct):
    """A host's answer to `movement.open`: what the successor has to be told of it and of its rooms.

    Attributes:
        incarnation: The host's.
        position: Segment and end of its journal when it was opened: whoever follows begins there.
        gateways: Those that the successor must know before it can take a room.
        rooms: Those that are to move.
    """

    incarnation: str
    position: list[int]
    gateways: list[str]
    rooms: list[dict[str, Any]] = []

    @property
    def source(self) -> dict[str, Any]:
        """What the successor is told of the host."""
        return {"incarnation": self.incarnation, "position": self.position, "gateways": self.gateways}

    @property
    def ids(self) -> list[str]:
        """Of its rooms."""
        return [str(room["room"]) for room in self.rooms]


class Refused(msgspec.Struct):
    """A room that the successor's program cannot go on with."""

    room: str
    reason: str


class Prepared(msgspec.Struct):
    """A successor's answer to `movement.prepare`."""

    rooms: int = 0
    bytes: int = 0
    hash_mismatches: int = 0
    refused: list[Refused] = []
    migrations: list[Migration] = []
    code: dict[str, str] = {}
    failed: str = ""


class MovedRoom(msgspec.Struct):
    """A room that its old host gave away; `steps` in milliseconds."""

    room: str
    pause_ms: float = 0.0
    steps: dict[str, float] = {}


class Moved(msgspec.Struct):
    """An old host's answer to `movement.move`."""

    moved: list[MovedRoom] = []
    kept: list[KeptRoom] = []


class Stored(msgspec.Struct):
    """The program of a build, as it can be started again.

    Attributes:
        build: Its number.
        program: Its command, what it must be when it is started again, and the code that it ran last.
    """

    build: int
    program: Program


class Chosen(NamedTuple):
    """Which of the prepared rooms move, and which stay."""

    rooms: list[str]
    kept: list[KeptRoom]


def program_of(ready: Speaks, command: Sequence[str]) -> Program:
    """The program of a host that was started with this command."""
    return Program(
        ready.version, ready.python, ready.exe, ready.source, list(command), dict(ready.generations), ready.program
    )


def check_vetoes(vetoes: Sequence[Veto]) -> str:
    """Why a copyover may not move rooms now, "" if nobody says so."""
    if not vetoes:
        return ""
    told = [f"{veto.room}: {veto.module} says {veto.reason!r}{_for(veto.for_s)}" for veto in vetoes]
    longest_s = max(veto.for_s for veto in vetoes)
    again = f"Try again in {longest_s:,.0f} s." if longest_s else "Try again later."
    return f"vetoed by {counted(len(vetoes), 'module')}: {listed(told)}. {again}"


def _for(for_s: float) -> str:
    return f", for {for_s:,.0f} s more" if for_s > 0 else ""


def choose(rooms: Iterable[str], prepared: Sequence[Prepared], *, partial: bool) -> Chosen:
    """Which rooms move.

    Args:
        rooms: All that the old hosts have.
        prepared: What the successor answered for each old host.

    Raises:
        MovementAborted: The successor refuses what has to move.
    """
    refused = {one.room: one.reason for answer in prepared for one in answer.refused}
    mismatches = sum(answer.hash_mismatches for answer in prepared)
    failed = next((answer.failed for answer in prepared if answer.failed), "")
    if failed:
        raise aborted("prepare", f"the code that is to come does not load: {failed}")
    if mismatches:
        raise aborted(
            "prepare",
            f"{counted(mismatches, 'room')} arrived in the successor with another hash: "
            f"{listed(sorted(refused)) or 'it does not say which'}. It is a bug: keep the event log.",
        )
    going = [room for room in rooms if room not in refused]
    if refused and not (partial and going):
        room, reason = next(iter(refused.items()))
        more = f" (and {counted(len(refused) - 1, 'room')} more)" if len(refused) > 1 else ""
        advice = "Mend that, or leave such rooms in the old host: --partial" if going else "Mend that first."
        raise aborted("prepare", f"the new program refuses room {room}{more}: {sentence(reason)} {advice}")
    return Chosen(going, [KeptRoom(room, "prepare", reason) for room, reason in refused.items()])


def closing(report: CopyoverReport, *, cancelled: bool, died: bool) -> Phase:
    """What players are told in the end.

    Args:
        died: Whether a host died that had rooms, so that players noticed.
    """
    if report.outcome in ("committed", "partial"):
        return "recovered" if died else "done"
    if cancelled:
        return "cancelled"
    if died:
        return "recovered"
    if report.vetoes:
        return "vetoed"
    return "build_failed" if report.aborted_at == "build" else "failed"


def aborted(step: str, reason: str) -> MovementAborted:
    """That a copyover ends before its commit; who serves is known to whoever catches it."""
    return MovementAborted(reason, step=step, serving="")


def outcome(committed: int, failed: Collection[KeptRoom], *, died: bool) -> Outcome:
    """What a copyover came to that began to move rooms.

    Args:
        committed: Rooms that left the old hosts, or 1 if the successor serves for another reason.
        failed: Rooms that were to move and did not.
        died: Whether the successor was lost on the way. One that has all rooms is started again, and recovers them.
    """
    if not committed and (failed or died):
        return "aborted"
    return "partial" if failed else "committed"


def pauses(moved: Iterable[MovedRoom]) -> PauseMs:
    """How long rooms stood still; those that were recovered had no pause of a move."""
    ms = sorted(room.pause_ms for room in moved if room.pause_ms)
    return PauseMs(round(ms[len(ms) // 2], 3), round(ms[-1], 3)) if ms else PauseMs()


def move_steps(moved: Iterable[MovedRoom]) -> list[Step]:
    """How long each step of the move took, added up over the rooms."""
    totals = dict.fromkeys(MOVE_STEPS, 0.0)
    for room in moved:
        for step, ms in room.steps.items():
            if step in totals:
                totals[step] += ms
    return [Step(step, round(ms, 3)) for step, ms in totals.items()]


def find_stored(to: str, stored: Sequence[Stored], history: Sequence[CopyoverReport], serving: Stored) -> Stored:
    """The program that `--to` means.

    Args:
        to: A build number, or "previous": the last program before this one that is another one.
        stored: The programs that can be started again.
        history: Oldest first.
        serving: What serves, with the code that it runs.

    Raises:
        ContractError: There is none.
    """
    known = {one.build: one for one in stored}
    usable = ", ".join(str(build) for build, one in sorted(known.items()) if not is_same(one.program, serving.program))
    there = f"Nothing was changed. There is a way back to build {usable}." if usable else "Nothing was changed."
    if to == PREVIOUS:
        for build in _before(history, serving.build):
            if build in known and not is_same(known[build].program, serving.program):
                return known[build]
        raise ContractError(f"No earlier program is known that is another one than what serves. {there}")
    if int(to) not in known:
        raise ContractError(f"No program of a build {to} is kept. {there}")
    if is_same(known[int(to)].program, serving.program):
        raise ContractError(f"Build {to} is the program that serves. {there}")
    return known[int(to)]


def _before(history: Sequence[CopyoverReport], serving: int) -> Iterator[int]:
    """What served before, the newest first."""
    for report in reversed(history):
        if report.outcome in ("committed", "partial") and report.build.to == serving:
            serving = report.build.from_
            yield serving


def is_same(one: Program, other: Program) -> bool:
    """Whether two hosts behave the same: the same program, with the same code of the games."""
    return bool(one.program) and (one.program, one.generations) == (other.program, other.generations)


def check_source(wanted: Stored, ready: Speaks) -> str:
    """Why a program that was started again is not the one of its build, "" if it is."""
    if ready.program == wanted.program.program:
        return ""
    return (
        f"the program of build {wanted.build} is not what it was: its hash was {wanted.program.program or 'unknown'}, "
        f"and what its command starts now has {ready.program or 'none'} (Perdure {ready.version}, Python "
        f"{ready.python}). Something of it was updated in place. Bring the earlier files back, or copy over to what is "
        "there: perdure copyover"
    )
