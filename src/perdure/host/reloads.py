"""Reloads: new code for the running rooms of a game, one reload at a time, one report for each.

The order is that of `perdure.movement.plan.RELOAD`. Until the commit (the new generation is written down as
the one that serves) nothing of the running rooms is touched; after it they are swapped one by one, each at a
quiescent point of its own, in slices that let the loop breathe.

What runs where: files are read, compiled (in a helper process), executed and checked in a build thread, and
stored there, too. The loop's thread only swaps.
"""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from statistics import median
from typing import Any, TypeVar

import msgspec

from perdure.errors import ContractError, GameError, PerdureError, SchemaError, StorageError, one_line
from perdure.games.python.load import program_from
from perdure.games.python.own import RELOAD_SERVICE
from perdure.games.python.program import PythonProgram
from perdure.host.host import Host
from perdure.host.libraries import changed_libraries
from perdure.host.library import Library
from perdure.host.rehearsal import Rows, Task, rehearse
from perdure.host.running import Next, Running, Swapped, percentiles
from perdure.live.building import Builder, Built
from perdure.live.compiling import Compiler
from perdure.live.generation import Generation
from perdure.live.sources import Sources, capture, pack
from perdure.movement import canary
from perdure.movement.migrations import Planned, ways_back
from perdure.movement.migrations import plan as plan_migrations
from perdure.movement.order import ReloadOrder, check, check_game, check_module
from perdure.movement.plan import RELOAD, Course
from perdure.movement.report import (
    Canary,
    Failed,
    Generations,
    Held,
    Measured,
    Orphan,
    RefusedRoom,
    ReloadReport,
    Step,
    Trigger,
    Warned,
    canary_event,
    event,
    lines,
    refusal_event,
)
from perdure.movement.wording import ADMINS_ONLY, sentence
from perdure.ports import Clock, FaultPoint

BODY_DEADLINE_S = 10.0
"""A module body that runs longer is cut, and counts as failed."""
STUCK_S = 30.0
"""A build that cannot be cut, in one endless operation in C, is given up after this."""
SLICE_S = 0.002
"""Rooms are swapped for this long before the loop may do something else."""

T = TypeVar("T")


class Reloads:
    """Reloads the games of one host.

    Args:
        compiler: Compiles sources, off this process's interpreter lock.
        notify: Called with events for the event log.
        clock: The wall clock; a library that changed on disk since this was made is not what runs here.
    """

    def __init__(
        self,
        host: Host,
        library: Library,
        loop: asyncio.AbstractEventLoop,
        compiler: Compiler,
        *,
        clock: Clock,
        fault: FaultPoint,
        notify: Callable[[dict[str, Any]], None],
    ) -> None:
        self._host, self._library, self._loop, self._compiler = host, library, loop, compiler
        self._began_us = clock.now_us()
        self._fault, self._notify = fault, notify
        self._turns = {game: asyncio.Lock() for game in library.paths}
        self._building = asyncio.Lock()
        self._held: str = ""
        self._may_go_on = asyncio.Event()
        self._may_go_on.set()
        self._tried: dict[str, str] = {}
        self._troubled: set[str] = set()
        host.services[RELOAD_SERVICE] = self._asked

    async def reload(self, order: ReloadOrder, trigger: Trigger = "command", by: str = "") -> ReloadReport:
        """Carry out one reload, when those asked for before are done. Its report is in the event log, too.

        Args:
            by: Who asked for it, if it was somebody in a game.

        Raises:
            ContractError: There is no such game or module, or the order makes no sense.
        """
        check(order)
        if not order.game and len(self._library.paths) == 1:
            order = msgspec.structs.replace(order, game=next(iter(self._library.paths)))
        check_game(order.game, self._library.paths.keys())
        # a task of its own: whoever asked may go away, and half of a reload is none
        return await asyncio.shield(self._loop.create_task(self._in_turn(order, trigger, by)))

    async def leave_alone(self, game: str, generation: str) -> None:
        """Somebody went back to this code: what lies on disk instead is loaded only when that is asked for."""
        disk = await self._in_thread(partial(capture, self._library.paths[game]))
        if disk.generation != generation:
            await self._in_thread(partial(self._library.store, disk))
            await self._in_thread(partial(self._library.try_out, game, disk.generation))

    async def get_ready(self, game: str) -> None:
        """Begin what the first reload would otherwise wait for: the process that compiles."""
        sources = self._library.current(game).sources
        assert sources is not None
        await self._in_thread(partial(self._compiler, list(sources.modules.values())[:1]))

    def hold(self, why: str) -> None:
        """From here reloads that nobody asked for wait, and others are refused, for this reason; "" ends that."""
        self._held = why
        if why:
            self._may_go_on.clear()
        else:
            self._may_go_on.set()

    async def _in_turn(self, order: ReloadOrder, trigger: Trigger, by: str) -> ReloadReport:
        if self._held and trigger not in ("watch", "start", "copyover"):
            raise ContractError(f"{self._held}. Nothing was changed; reload when that is over.")
        async with self._turns[order.game]:
            if trigger != "copyover":
                await self._may_go_on.wait()
            return await self._reload(order, trigger, by)

    async def _asked(self, room: str, name: str, role: str, words: list[str]) -> str:
        """The service behind @reload: what the one who typed it is told."""
        running = self._host.rooms[room]
        if role != "admin":
            self._notify(refusal_event(running.program.game, room, name, role))
            return ADMINS_ONLY
        try:
            order = ReloadOrder(running.program.game, ".".join(words))
            return "\n".join(lines(await self.reload(order, "game", name)))
        except PerdureError as error:
            return str(error)

    # -- one reload --------------------------------------------------------------------------------

    async def _reload(self, order: ReloadOrder, trigger: Trigger, by: str) -> ReloadReport:
        old = self._library.current(order.game)
        report = ReloadReport(
            order.game, trigger=trigger, by=by, dry_run=order.dry_run, atomic=order.atomic,
            update=self._host.config.games[order.game].update, generation=Generations(old.generation, old.generation),
        )  # fmt: skip
        course = Course(RELOAD, self._fault, time.perf_counter)
        try:
            if not await self._carry_out(order, report, course):
                return report  # a file was touched, or saved as it was; what is wrong with it was told
        except GameError as error:
            report.failed.append(Failed("", error.file, error.line, " ".join(error.message.split())))
            report.aborted = report.aborted or "what is on disk does not load."
        except (StorageError, OSError) as error:
            if course.committed:
                self._refuse_all(order, one_line(error), report)
            else:
                report.aborted = one_line(error)
        if report.aborted and report.canary is not None and report.canary.went_on:
            await self._go_back(order, report, f"that it serves could not be written down: {report.aborted}")
        self._library.prune()
        report.steps = [Step(name, ms) for name, ms in course.taken]
        mended = order.game in self._troubled and report.is_clean
        if trigger in ("command", "game") or report.changed or not report.is_clean or report.rooms.swapped or mended:
            self._notify(event(report))
        self._troubled.discard(order.game) if report.is_clean else self._troubled.add(order.game)
        return report

    async def _carry_out(self, order: ReloadOrder, report: ReloadReport, course: Course) -> bool:
        """Returns whether there was anything to try."""
        old = self._library.current(order.game)
        with course.step("capture"):
            wanted = await self._wanted(order, old)
        unasked = report.trigger in ("watch", "start")
        if report.trigger == "watch" and self._tried.get(order.game) == wanted.generation:
            return False
        if unasked and wanted.generation == self._library.trial(order.game):
            report.aborted = (
                f"this code was on trial, and the server went back from it. To have it: perdure reload {order.game}"
            )
            return True
        if not order.dry_run:
            self._tried[order.game] = wanted.generation
        program = old
        if wanted.generation != old.generation:
            with course.step("build"):
                async with self._building:
                    built = await self._build(order, wanted, report)
            if built is not None:
                program = self._library.add(order.game, built.product)
                if program is built.product:
                    program.take_health(old)
        program.hold()  # else whoever prunes meanwhile would find it without users
        try:
            await self._bring(order, old, program, report, course)
        finally:
            program.release()
        return True

    async def _bring(
        self, order: ReloadOrder, old: PythonProgram, program: PythonProgram, report: ReloadReport, course: Course
    ) -> None:
        """What comes after the build: code that is loaded is stored, recorded and swapped in."""
        report.needs_copyover = await self._in_thread(partial(changed_libraries, program, self._began_us))
        report.orphans += self._rows_without_table(order.game, old, program, report.trigger)
        if order.dry_run:
            report.tried = program.generation
            await self._rehearse(order, program, report)
            return
        if order.canary is not None and not self._may_try(order, program, report):
            return
        if program is not old:
            with course.step("store"):
                assert program.sources is not None
                await self._in_thread(partial(self._library.store, program.sources))
        if order.canary is not None and not await self._canary(order, program, report):
            return
        if program is not old:
            with course.step("record"):
                await self._in_thread(partial(self._library.record, order.game, program.generation))
            self._library.publish(order.game, program)
            report.generation.to = program.generation
        with course.step("swap"):
            await self._swap_all(self._behind(order, program), program, order, report)
        report.orphans += self._orphans(order.game)
        with course.step("retire"):
            self._library.prune()
            if not self._host.aside(order.game):  # nobody knows here which code a room that is aside ran
                with suppress(StorageError):  # they are tidied up by the next reload
                    await self._in_thread(partial(self._library.tidy, order.game))

    async def _wanted(self, order: ReloadOrder, old: PythonProgram) -> Sources:
        """The sources that are asked for: what is on disk, or of that only one module."""
        if order.generation:
            return await self._in_thread(partial(self._library.stored_sources, order.game, order.generation))
        disk = await self._in_thread(partial(capture, self._library.paths[order.game]))
        if not order.module:
            return disk
        assert old.sources is not None
        names = {name.removeprefix("/"): name for name in [*old.sources.everything, *disk.everything]}
        check_module(order.module, order.game, names.keys())
        name = names[order.module]
        return old.sources.replaced({name: disk.everything.get(name)})

    # -- building ----------------------------------------------------------------------------------

    async def _build(self, order: ReloadOrder, wanted: Sources, report: ReloadReport) -> Built[PythonProgram] | None:
        """Load what is wanted aside; None if none of it can be."""
        old = self._library.current(order.game)
        assert old.sources is not None
        check = partial(self._checked, order, old)
        builder = Builder(self._compiler, check, deadline_s=BODY_DEADLINE_S)
        build = partial(builder.build, old.loaded, wanted, atomic=order.atomic)
        built = await self._in_thread(build, stuck_s=STUCK_S + BODY_DEADLINE_S * len(wanted.modules))
        report.refreshed, report.added, report.removed = built.refreshed, built.added, built.removed
        known = {name.removeprefix("/") for name in old.sources.everything}
        report.failed = [Failed(*failed, serving=failed.module in known) for failed in built.failed]
        report.held = [Held(*held) for held in built.held]
        report.warnings = [Warned(*warned) for warned in built.warnings]
        if built.generation is old.loaded:
            return None
        report.migrations = [p.migration for p in plan_migrations(built.product.tables, old.tables, self._rows(order))]
        return built

    def _checked(self, order: ReloadOrder, old: PythonProgram, generation: Generation) -> PythonProgram:
        """The program of a generation; in the build thread.

        Raises:
            GameError: It declares what cannot be, or cannot go on with the rows that are there. One for all tables that
                the same file declares.
        """
        program = program_from(generation, order.game)
        planned = plan_migrations(program.tables, old.tables, self._rows(order))
        refused = [program.blame(one.migration.table, why) for one in planned if (why := _refusal(one, order))]
        if refused:
            raise _in_one(refused)
        return program

    def _rows(self, order: ReloadOrder) -> Callable[[str], dict[int, int]]:
        """Counts the rows of a table over all rooms of the game, by version; for any thread."""

        def rows(table: str) -> dict[int, int]:
            total: Counter[int] = Counter()
            for running in self._rooms(order.game):
                if cells := running.room.cells.get(table):
                    total.update(cells.versions)
            return total

        return rows

    # -- swapping ----------------------------------------------------------------------------------

    def _rooms(self, game: str) -> list[Running]:
        """The rooms that run here, and those that are about to."""
        rooms = [*self._host.rooms.values(), *self._host.copies.values()]
        return [running for running in rooms if running.program.game == game]

    def _behind(self, order: ReloadOrder, program: PythonProgram) -> list[Running]:
        """The rooms that do not run this code, or wait for another, or have orphans that somebody wants dropped."""
        return [
            running
            for running in self._rooms(order.game)
            if running.program is not program or running.next or (order.drop_orphans and running.room.orphans)
        ]

    async def _swap_all(
        self, rooms: Iterable[Running], program: PythonProgram, order: ReloadOrder, report: ReloadReport
    ) -> None:
        """Offer the code to these rooms, and report what became of each."""
        pauses_ms: list[float] = []
        slice_s = time.perf_counter()
        for running in rooms:
            if self._host.rooms.get(running.room.id) is not running:
                continue  # it went aside, or was discarded, meanwhile
            swapped = self._swap(running, program, order, report)
            if swapped is not None:
                pauses_ms.append(swapped.paused_s * 1e3)
                dropped = Counter(swapped.dropped).items()
                report.orphans += [Orphan(running.room.id, name, "timer", n, dropped=True) for name, n in dropped]
            if time.perf_counter() - slice_s > SLICE_S:
                gc.collect(1)  # what this slice made, by itself: for all slices together it takes 50 ms
                await asyncio.sleep(0)
                slice_s = time.perf_counter()
        report.rooms.swapped += len(pauses_ms)
        if pauses_ms:
            report.pause_ms.p50 = round(median(pauses_ms), 4)
            report.pause_ms.max = round(max(report.pause_ms.max, *pauses_ms), 4)

    def _swap(
        self, running: Running, program: PythonProgram, order: ReloadOrder, report: ReloadReport
    ) -> Swapped | None:
        try:
            back = report.trigger == "canary"
            code = Next(program, order.drop_orphans, order.allow_destructive or back, at_once=back)
            swapped = self._host.swapping.offer(running, code)
        except Exception as error:  # noqa: BLE001  (the edge to game code: binding a game makes its modules)
            report.rooms.refused.append(RefusedRoom(running.room.id, one_line(error)))
            return None
        if swapped is None:
            report.waiting.append(running.room.id)
        return swapped

    def _refuse_all(self, order: ReloadOrder, reason: str, report: ReloadReport) -> None:
        """The new code serves, but something of this host failed before these rooms could take it."""
        for running in self._behind(order, self._library.current(order.game)):
            report.rooms.refused.append(RefusedRoom(running.room.id, f"{reason} The new code serves: reload again."))

    def _orphans(self, game: str) -> Iterable[Orphan]:
        for running in self._rooms(game):
            timers = Counter(timer.handler for timer in running.room.orphans.values())
            for handler, count in timers.items():
                yield Orphan(running.room.id, handler, "timer", count)
            requests = running.room.requests
            answers = Counter(requests[id].then for id in running.unanswered if id in requests)
            for handler, count in answers.items():
                yield Orphan(running.room.id, handler, "answer", count)

    def _rows_without_table(
        self, game: str, old: PythonProgram, program: PythonProgram, trigger: Trigger
    ) -> Iterable[Orphan]:
        """Rows whose table the code does not have; where nobody asks, only if it has other tables than the code before.

        So what was removed on purpose is not told with each save for ever.
        """
        if program.tables.keys() == old.tables.keys() and trigger not in ("command", "game"):
            return
        for running in self._rooms(game):
            for table, cells in running.room.cells.items():
                if table not in program.tables and (count := sum(cells.versions.values())):
                    yield Orphan(running.room.id, table, "row", count)

    # -- rehearsing and trying -----------------------------------------------------------------------

    async def _rehearse(self, order: ReloadOrder, program: PythonProgram, report: ReloadReport) -> None:
        """A dry run: what each room says to the code, and each row's migration, on copies in a process of their own."""
        concerned = [migration for migration in report.migrations if migration.rows]
        rows: Rows = {migration.table: [] for migration in concerned}
        for running in self._behind(order, program):
            for table, copied in rows.items():
                if cells := running.room.cells.get(table):
                    copied += cells.image().items()
            try:
                running.room.check_fit(program, may_lose=order.allow_destructive)
                report.rooms.swapped += 1
            except SchemaError as error:
                report.rooms.refused.append(RefusedRoom(running.room.id, one_line(error)))
            await asyncio.sleep(0)
        if not concerned:
            return
        assert program.sources is not None
        packed = await self._in_thread(partial(pack, program.sources))
        folder = str(program.sources.root.parent)
        found = await rehearse(Task(packed, program.generation, folder, order.game, rows))
        for migration in concerned:
            migration.failed, migration.error = found[migration.table]

    def _may_try(self, order: ReloadOrder, program: PythonProgram, report: ReloadReport) -> bool:
        """Whether a canary makes sense; if not, the report says why, and nothing was tried."""
        old = self._library.current(order.game)
        if program is old and not self._behind(order, program):
            return False  # nothing to do
        stuck = ways_back(program.tables, old.tables)
        if stuck:
            report.aborted = (
                f"no migration leads back for {', '.join(stuck)}, so rooms that tried it could not return. Nothing was "
                f"tried. Add the @migrate(…, to=…), or reload without --canary."
            )
        elif not self._chosen(order, program):
            report.aborted = f"the game {order.game} has too few rooms for a canary. Reload without --canary."
        if report.aborted:
            report.canary = Canary(order.canary or 0.0, order.watch_s or 0.0, reason=report.aborted)
        return not report.aborted

    def _chosen(self, order: ReloadOrder, program: PythonProgram) -> list[Running]:
        """The rooms that try the code first."""
        assert order.canary is not None
        behind = self._behind(order, program)
        chosen = canary.choose([running.room.id for running in behind], order.canary, program.generation)
        return [running for running in behind if running.room.id in chosen]

    async def _canary(self, order: ReloadOrder, program: PythonProgram, report: ReloadReport) -> bool:
        """Let some rooms try the code, and watch; whether the others may follow. If not, those went back."""
        assert order.canary is not None
        assert order.watch_s is not None
        moved = self._chosen(order, program)
        report.canary = Canary(order.canary, order.watch_s, sorted(running.room.id for running in moved))
        await self._in_thread(partial(self._library.try_out, order.game, program.generation))
        await self._swap_all(moved, program, order, report)
        self._notify(canary_event(order.game, len(moved), len(self._rooms(order.game)), order.watch_s))
        await self._watch(order, moved, report.canary)
        verdict = canary.judge(report.canary.moved, report.canary.unmoved)
        report.canary.went_on, report.canary.reason = verdict
        if not verdict.go_on:
            await self._go_back(order, report, verdict.reason)
        return verdict.go_on

    async def _watch(self, order: ReloadOrder, moved: list[Running], seen: Canary) -> None:
        others = [running for running in self._rooms(order.game) if running not in moved]
        before = {running: (running.room.c, running.faults) for running in (*moved, *others)}
        for running in before:
            running.ticks_ms.clear()
        await asyncio.sleep(seen.watch_s)
        seen.moved, seen.unmoved = (_measured(side, before) for side in (moved, others))

    async def _go_back(self, order: ReloadOrder, report: ReloadReport, reason: str) -> None:
        """The second reload: the rooms that tried the code return to the one that serves, whoever is in them."""
        assert report.canary is not None
        report.canary.went_on, report.canary.reason = False, reason
        old = self._library.current(order.game)
        back = ReloadReport(
            order.game, trigger="canary", by=report.by, update=report.update,
            generation=Generations("", old.generation),
            refreshed=report.refreshed, added=report.removed, removed=report.added,
        )  # fmt: skip
        tried = [running for running in self._behind(order, old) if running.room.id in report.canary.rooms]
        await self._swap_all(tried, old, ReloadOrder(order.game), back)
        report.canary.back = back
        self._notify(event(back))

    # -- threads -------------------------------------------------------------------------------------

    async def _in_thread(self, function: Callable[[], T], *, stuck_s: float = STUCK_S) -> T:
        """Run in a thread that nobody has to wait for: a game's code may hang in it.

        Raises:
            StorageError: It hangs; what it does is given up.
        """
        done: asyncio.Future[T] = self._loop.create_future()

        def run() -> None:
            try:
                result = function()
            except BaseException as error:  # noqa: BLE001  (it is raised again, where it is waited for)
                self._loop.call_soon_threadsafe(_settle, done, None, error)
            else:
                self._loop.call_soon_threadsafe(_settle, done, result, None)

        threading.Thread(target=run, name="perdure-build", daemon=True).start()
        try:
            async with asyncio.timeout(stuck_s):
                return await done
        except TimeoutError:
            raise StorageError(
                f"the new code hangs and cannot be cut. It is given up after {stuck_s:g} s. Nothing was changed; "
                "the thread that hangs ends with the host.",
                op="reload:build",
            ) from None


def _settle(done: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if done.done():
        return  # nobody waits any more
    if error is None:
        done.set_result(result)
    else:
        done.set_exception(error)


def _refusal(planned: Planned, order: ReloadOrder) -> str:
    """Why this must not happen to the rows of a table, with what to do; "" if it may."""
    migration = planned.migration
    if planned.refused or not migration.destructive or order.allow_destructive:
        return planned.refused
    return (
        f"table {migration.table}: {migration.what}, in {migration.rows or 'all'} rows, and no migration "
        f"leads back. The rows are untouched. Add @migrate(…, to={migration.from_}), or say that it is "
        f"meant: perdure reload {order.game} --allow-destructive"
    )


def _in_one(errors: Sequence[GameError]) -> GameError:
    """The first, and what else is wrong in its file; the builder asks again about the other files."""
    first, *others = errors
    more = [f"Line {other.line}: {sentence(other.message)}" for other in others if other.file == first.file]
    return GameError(" ".join([sentence(first.message), *more]), file=first.file, line=first.line)


def _measured(side: list[Running], before: dict[Running, tuple[int, int]]) -> Measured:
    ticks_ms = percentiles([tick for running in side for tick in running.ticks_ms])
    return Measured(
        len(side),
        sum(running.room.c - before[running][0] for running in side),
        sum(running.faults - before[running][1] for running in side),
        ticks_ms["p50"],
        ticks_ms["p99"],
    )
