"""What came of a reload: one value for programs, for people, for the event log and for the exit code.

Every reload makes exactly one report, whoever asked for it: a saved file, the command line, an admin in a game,
the start of a host, a canary that goes back. The JSON names are fixed (docs/protocols.md); fields may be added.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import msgspec

from perdure.movement.wording import be, counted, listed, place, sentence, take

EXIT_DONE, EXIT_NOTHING_CHANGED, EXIT_PARTLY = 0, 3, 5
KEPT_MAX = 20
"""Entries of one list that the event log keeps; the answer to who asked, and a history, have all of them."""

Trigger = Literal["watch", "command", "game", "start", "canary", "copyover"]
Update = Literal["now", "idle", "match"]


class Failed(msgspec.Struct):
    """A module (or data file, by its path in the game) whose new bytes do not load.

    Attributes:
        module: Dotted name inside the game, "" for the game's own folder or file.
        file, line: Where; "" and 0 when no place is to blame.
        message: One line.
        serving: Whether an earlier version of it goes on; a new module has none, and is left out.
    """

    module: str
    file: str = ""
    line: int = 0
    message: str = ""
    serving: bool = True


class Held(msgspec.Struct):
    """A module that would load, but keeps its last good bytes because of another one."""

    module: str
    because: str


class Warned(msgspec.Struct):
    """Something in a module that reloads badly: a thread, an exit handler, a list that the module changes."""

    module: str
    file: str
    line: int
    message: str


class RefusedRoom(msgspec.Struct):
    """A room that keeps the code it had; `reason` is one line and says what to do."""

    room: str
    reason: str


class Rooms(msgspec.Struct):
    """How many rooms run the new code, and which do not."""

    swapped: int = 0
    refused: list[RefusedRoom] = []


class PauseMs(msgspec.Struct):
    """How long single rooms stood still, in milliseconds."""

    p50: float = 0.0
    max: float = 0.0


class Generations(msgspec.Struct, rename={"from_": "from"}):
    """Ids of the code before and after; equal when nothing changed."""

    from_: str = ""
    to: str = ""


class Migration(msgspec.Struct, rename={"from_": "from"}):
    """What becomes of the rows of one table, over all rooms.

    Attributes:
        table: The name that it is stored under.
        from_, to: Versions of its module; equal when fields were only added.
        rows: How many are converted, each when it is first touched.
        destructive: Whether something in them is lost.
        what: One line: which fields come and go.
        failed: How many of them could not be converted in a dry run.
        error: What the first of those raised, in one line.
    """

    table: str
    from_: int
    to: int
    rows: int = 0
    destructive: bool = False
    what: str = ""
    failed: int = 0
    error: str = ""


class Orphan(msgspec.Struct):
    """What a room has, and the code has nothing for: timers, answers or questions without handler, rows without table.

    They wait for it. Where nobody asked for the reload, rows are told of only if the code has other tables than before.

    Attributes:
        handler: Its stored name; of rows that of their table.
        count: How many of the kind wait for it in this room.
        dropped: Whether they were forgotten, because that was asked for; rows never are.
    """

    room: str
    handler: str
    kind: Literal["timer", "answer", "question", "row"] = "timer"
    count: int = 1
    dropped: bool = False


class Step(msgspec.Struct):
    """One part of the work, and how long it took."""

    name: str
    ms: float


class Measured(msgspec.Struct):
    """What a canary saw of one side of the rooms while it watched."""

    rooms: int = 0
    callbacks: int = 0
    faults: int = 0
    tick_p50_ms: float = 0.0
    tick_p99_ms: float = 0.0


class Canary(msgspec.Struct):
    """A reload that was tried in some rooms first.

    Attributes:
        percent, watch_s: As asked.
        rooms: Who ran the new code first.
        went_on: Whether the others followed.
        reason: Why, or why not.
        moved, unmoved: What was seen of both sides.
        back: The report of the second reload, with which it went back.
    """

    percent: float
    watch_s: float
    rooms: list[str] = []
    went_on: bool = False
    reason: str = ""
    moved: Measured = msgspec.field(default_factory=Measured)
    unmoved: Measured = msgspec.field(default_factory=Measured)
    back: ReloadReport | None = None


class ReloadReport(msgspec.Struct):
    """What came of one reload of one game.

    Attributes:
        game: Its id in the configuration.
        generation: Which code served before, and which does now.
        tried: Id of the code that a dry run looked at.
        trigger, by: What asked for it, and who (a player's name), if it was somebody.
        dry_run, atomic: How it was asked for. A dry run tells what would come of it.
        update: The game's update policy.
        refreshed, added, removed: Modules by name, data files by path.
        failed, held, warnings: See the classes.
        rooms, pause_ms: What became of the rooms.
        waiting: Rooms that take the new code later, as the update policy says.
        migrations, orphans: What becomes of rows and timers.
        needs_copyover: Changed code that a reload cannot reach: libraries, Perdure itself.
        steps: How long each part took.
        canary: Set when it was tried in some rooms first.
        aborted: Why nothing was changed, in one line; "" when that is not so.
    """

    game: str
    refreshed: list[str] = []
    added: list[str] = []
    removed: list[str] = []
    failed: list[Failed] = []
    held: list[Held] = []
    rooms: Rooms = msgspec.field(default_factory=Rooms)
    pause_ms: PauseMs = msgspec.field(default_factory=PauseMs)
    migrations: list[Migration] = []
    orphans: list[Orphan] = []
    needs_copyover: list[str] = []
    generation: Generations = msgspec.field(default_factory=Generations)
    trigger: Trigger = "command"
    by: str = ""
    tried: str = ""
    dry_run: bool = False
    atomic: bool = False
    update: Update = "now"
    waiting: list[str] = []
    warnings: list[Warned] = []
    steps: list[Step] = []
    canary: Canary | None = None
    aborted: str = ""

    @property
    def changed(self) -> list[str]:
        """Everything that is not as it was."""
        return [*self.refreshed, *self.added, *self.removed]

    @property
    def is_clean(self) -> bool:
        """Whether all that lies on disk runs, or will, everywhere."""
        unconverted = any(migration.failed for migration in self.migrations)
        back = self.canary is not None and not self.canary.went_on
        return not (self.failed or self.held or self.rooms.refused or self.aborted or unconverted or back)


def exit_code(report: ReloadReport) -> int:
    """0: all of it is live. 3: something is wrong, and all is as it was. 5: something is wrong, the rest is live.

    A dry run ends with the code that the reload itself would have ended with.
    """
    if report.is_clean:
        return EXIT_DONE
    back = report.canary is not None and not report.canary.went_on
    if report.aborted or back or not report.changed:
        return EXIT_NOTHING_CHANGED
    nowhere = bool(report.rooms.refused) and not report.rooms.swapped and not report.waiting
    return EXIT_NOTHING_CHANGED if nowhere else EXIT_PARTLY


def encode(report: msgspec.Struct) -> dict[str, Any]:
    """A report of any movement as JSON says it."""
    encoded: dict[str, Any] = msgspec.to_builtins(report)
    return encoded


def shortened(report: msgspec.Struct) -> dict[str, Any]:
    """What an event has of a report: at most `KEPT_MAX` entries of each list."""
    encoded = encode(report)
    for part in (encoded, encoded["rooms"], encoded["canary"] or {}):
        part.update({key: value[:KEPT_MAX] for key, value in part.items() if isinstance(value, list)})
    if encoded["canary"]:
        encoded["canary"]["back"] = None  # it has an event of its own
    return encoded


def decode(answer: object) -> ReloadReport:
    """The report in the answer of a host; fields that are not known here are passed over."""
    return msgspec.convert(answer, ReloadReport)


# -- events -------------------------------------------------------------------------------------------


def event(report: ReloadReport) -> dict[str, Any]:
    """The one event that a reload leaves: `reloaded`, or `reload-failed` when nothing of it is live.

    `text` is the whole report for people, on one line.
    """
    kind = "reload-failed" if exit_code(report) == EXIT_NOTHING_CHANGED else "reloaded"
    return {"kind": kind, "game": report.game, "text": " ".join(lines(report)), "report": shortened(report)}


def canary_event(game: str, moved: int, of: int, watch_s: float) -> dict[str, Any]:
    """The event that says that a canary watches from now on."""
    return {"kind": "canary", "game": game, "moved": moved, "of": of, "watch_s": round(watch_s, 1)}


def refusal_event(game: str, room: str, player: str, role: str) -> dict[str, Any]:
    """The event that says that somebody typed @reload who may not."""
    return {"kind": "refused", "game": game, "room": room, "player": player, "role": role, "what": "@reload"}


# -- for people -----------------------------------------------------------------------------------------


def lines(report: ReloadReport) -> list[str]:
    """The report for people: what happened first, then a line for each thing that somebody should know or do."""
    return [
        _summary(report),
        *(_failed(failed, report) for failed in report.failed),
        *(f"{_name(held.module, report)} keeps its last good code: {sentence(held.because)}" for held in report.held),
        *_refused(report.rooms.refused),
        *_waiting(report),
        *_migrations(report),
        *_orphans([orphan for orphan in report.orphans if orphan.kind != "row"]),
        *rows_waiting(report),
        *(_warning(warned) for warned in report.warnings),
        *_copyover(report.needs_copyover),
        *_canary(report),
    ]


_WHEN = {"start": ", at the start", "canary": ", going back", "copyover": ", after the copyover"}
_UNTIL = {"now": "in turn", "idle": "when nobody is there", "match": "when the match is over"}


def _summary(report: ReloadReport) -> str:
    when = ", before the copyover" if report.trigger == "copyover" and report.dry_run else _WHEN.get(report.trigger, "")
    who = f"{report.game}{when}: "
    asked = f" Asked for by {report.by}." if report.by else ""
    if report.aborted:
        return f"{who}nothing was changed: {sentence(report.aborted)}{asked}"
    if report.canary is not None and not report.canary.went_on:
        return f"{who}nothing was changed: the canary went back.{asked}"
    if not report.changed and not report.rooms.swapped:
        if report.waiting:
            return f"{who}the code on disk is live {_where(report)}.{asked}"
        if report.is_clean:
            return f"{who}nothing to do: all of it runs already.{asked}"
        return f"{who}nothing was changed.{asked}"
    end = " A dry run: nothing was changed." if report.dry_run else ""
    return f"{who}{_changes(report)} {_where(report)}{_pause(report)}.{end}{asked}"


def _changes(report: ReloadReport) -> str:
    verbs = ("would be", "would be") if report.dry_run else ("is", "are")
    stayed = {failed.module for failed in report.failed} | {
        held.module for held in report.held
    }  # with their old source
    new = [name for name in report.refreshed if name not in stayed] or report.refreshed
    named = (("new", new), ("added", report.added), ("removed", report.removed))
    told = [f"{_names(report, names)} {verbs[len(names) > 1]} {how}" for how, names in named if names]
    return ", ".join(told) or f"the code on disk {verbs[0]} live"


def _where(report: ReloadReport) -> str:
    if report.rooms.swapped:
        return f"in {counted(report.rooms.swapped, 'room')}"
    if report.waiting:
        return f"once {counted(len(report.waiting), 'room')} {take(len(report.waiting))} it"
    return "in no room" if report.rooms.refused else "for the rooms to come"


def _pause(report: ReloadReport) -> str:
    if report.dry_run or not report.rooms.swapped:
        return ""
    ms = report.pause_ms.max
    return f" (longest pause {ms:.1f} ms)" if ms < 100 else f" (longest pause {ms:.0f} ms)"


def _failed(failed: Failed, report: ReloadReport) -> str:
    name, where = _name(failed.module, report), place(failed.module, failed.file, failed.line)
    if report.aborted:
        return f"{where}: {sentence(failed.message)}"
    serves = f"The last good code of {name} serves." if failed.serving else f"{name} is left out until it loads."
    return f"{where}: {sentence(failed.message)} {serves}"


def _refused(refused: Sequence[RefusedRoom]) -> Iterator[str]:
    by_reason: dict[str, list[str]] = {}
    for one in refused:
        by_reason.setdefault(one.reason, []).append(one.room)
    for reason, rooms in by_reason.items():
        keep = "keeps its" if len(rooms) == 1 else "keep their"
        yield f"{listed(rooms)} {keep} old code: {sentence(reason)}"


def _waiting(report: ReloadReport) -> Iterator[str]:
    if rooms := report.waiting:
        yield f"{listed(rooms)} {take(len(rooms))} it {_UNTIL[report.update]} (update = {report.update})."


def _migrations(report: ReloadReport) -> Iterator[str]:
    for migration in report.migrations:
        versions = f" from version {migration.from_} to {migration.to}" if migration.from_ != migration.to else ""
        what = f": {migration.what}" if migration.what else ""
        lost = ", and something in them is lost" if migration.destructive else ""
        rows = counted(migration.rows, "row")
        yield f"{rows} of {migration.table} {be(migration.rows)} converted{versions} when first touched{lost}{what}."
        if migration.failed:
            yield f"{counted(migration.failed, 'row')} of {migration.table} cannot be: {sentence(migration.error)}"


def _orphans(orphans: Iterable[Orphan]) -> Iterator[str]:
    groups: dict[tuple[str, str, bool], list[Orphan]] = {}
    for orphan in orphans:
        groups.setdefault((orphan.handler, orphan.kind, orphan.dropped), []).append(orphan)
    for (handler, kind, dropped), group in groups.items():
        count = sum(orphan.count for orphan in group)
        rooms = listed([orphan.room for orphan in group])
        if dropped:
            yield f"{counted(count, kind)} for {handler} in {rooms} {be(count, past=True)} dropped."
        else:
            wait = "waits" if count == 1 else "wait"
            yield f"{counted(count, kind)} for {handler} in {rooms} {wait} until it is there again, or: --drop-orphans."


def rows_waiting(report: ReloadReport) -> Iterator[str]:
    """A line for each class under which rows without a table were stored: it may be the class that was renamed."""
    groups: dict[str, list[Orphan]] = {}
    for orphan in report.orphans:
        if orphan.kind == "row":
            groups.setdefault(orphan.handler.rpartition(".")[0], []).append(orphan)
    for stored, group in groups.items():
        rows: Counter[str] = Counter()
        for orphan in group:
            rows[orphan.handler] += orphan.count
        what = listed([f"{counted(count, 'row')} of {table}" for table, count in rows.items()])
        where = counted(len({orphan.room for orphan in group}), "room")
        wait, tables = "waits" if rows.total() == 1 else "wait", "table" if len(rows) == 1 else "tables"
        yield (
            f"{what} in {where} {wait}, and nothing is lost: the code has no such {tables}. Was the class renamed? "
            f'Write stored_as = "{stored}" in it. A table? Give it its old name back.'
        )


def _warning(warned: Warned) -> str:
    return f"{place(warned.module, warned.file, warned.line)}: {sentence(warned.message)}"


def _copyover(changed: Sequence[str]) -> Iterator[str]:
    if changed:
        yield f"{listed(changed)} changed outside of the game: a reload cannot reach that, the host's next start does."


def _canary(report: ReloadReport) -> Iterator[str]:
    canary = report.canary
    if canary is None or report.aborted:
        return
    went, rooms = "went on to all rooms" if canary.went_on else "went back", counted(len(canary.rooms), "room")
    yield f"The canary in {rooms} {went} after {canary.watch_s:g} s: {sentence(canary.reason)}"
    if canary.back is not None:
        yield from lines(canary.back)


def _name(module: str, report: ReloadReport) -> str:
    return module or report.game


def _names(report: ReloadReport, names: Sequence[str]) -> str:
    return listed([_name(name, report) for name in names])
