"""One copyover under way: a successor is started, proves every room, takes them over, and serves.

The supervisor is a broker. It asks both hosts and waits; who owns a room is said by its owner row alone. Left of the
first commit everything ends with the successor gone and the old hosts as they were; right of it, with the
successor's program serving. There is no third end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from perdure.config import Config
from perdure.errors import ContractError, MovementAborted, PerdureError, ProtocolError
from perdure.movement import canary
from perdure.movement.copyover_order import CopyoverOrder
from perdure.movement.copyover_report import Builds, CopyoverReport, Programs, Sessions, Veto
from perdure.movement.copyover_rules import (
    Chosen,
    Stored,
    aborted,
    check_source,
    check_vetoes,
    choose,
    is_same,
    move_steps,
    program_of,
)
from perdure.movement.plan import COPYOVER, Course
from perdure.movement.report import Step
from perdure.ports import FaultPoint, Owner
from perdure.supervisor.announcer import Asks
from perdure.supervisor.crossing import Crossing
from perdure.supervisor.events import EventLog
from perdure.supervisor.host_instance import HostInstance
from perdure.supervisor.hosts import Hosts
from perdure.supervisor.legs import Leg
from perdure.supervisor.locks import Locks
from perdure.supervisor.program_store import ProgramStore
from perdure.supervisor.programs import Program
from perdure.supervisor.sides import Sides
from perdure.supervisor.trial import Trial
from perdure.versions import successor_refusal

BOOT_S = 120.0
"""A successor that hangs is noticed earlier: one without a sign of life for ten seconds is killed."""
VETO_S = 30.0
ASK_S = 5.0
OWN_POINTS = ("copyover:build", "copyover:boot")
"""The fault points of the supervisor's own steps; the others are the hosts'."""

T = TypeVar("T")


async def vetoes_of(host: HostInstance) -> list[Veto]:
    """What modules object to in the rooms of a host.

    Raises:
        PerdureError: It did not say, or not so that it can be understood.
    """
    answer = await host.ask("movement.vetoes", {"rooms": None}, timeout_s=VETO_S)
    try:
        return msgspec.convert(answer, dict[str, list[Veto]]).get("vetoes", [])
    except msgspec.ValidationError as error:
        raise ProtocolError(f"{host.name} answered what cannot be understood: {error}.") from None


def told_of_bug(error: Exception) -> str:
    """An error that is nobody's but ours, for a report."""
    return f"{type(error).__name__}: {error}. That is a bug: keep the event log."


class Means(NamedTuple):
    """What copyovers work with.

    Attributes:
        owner: Reads a room's owner row.
        build: Runs a build command in a folder; returns why it failed, or "".
        clock_s: A clock in seconds that only rises.
        load: Reads perdure.toml anew.
    """

    hosts: Hosts
    gateway: Asks
    owner: Callable[[str], Owner | None]
    events: EventLog
    build: Callable[[Sequence[str], Path], Coroutine[Any, Any, str]]
    programs: ProgramStore
    fault: FaultPoint
    clock_s: Callable[[], float]
    load: Callable[[], Config]


class Succession:
    """Replaces the hosts of a server by one successor.

    Args:
        report: Is filled in on the way.
        stored: The program that is gone back to; None for what is configured now.
        locks: Features that are locked until it is over.
        before_move: Awaited when all is proved, and rooms move next.

    Attributes:
        phase: The step that it is at, None before the first.
        sides: The old hosts and the successor.
        trial: While a canary is tried.
    """

    def __init__(
        self,
        means: Means,
        order: CopyoverOrder,
        report: CopyoverReport,
        stored: Stored | None,
        locks: Locks,
        before_move: Callable[[], Awaitable[None]],
    ) -> None:
        self._means, self._hosts, self._order, self._report = means, means.hosts, order, report
        self._stored, self._locks, self._before_move = stored, locks, before_move
        self.phase: str | None = None
        self.sides = Sides(means.hosts, means.owner, means.clock_s, report.warnings)
        self.trial: Trial | None = None
        self._course = Course(COPYOVER, self._fault, means.clock_s)
        self._watching = False
        serving = self._hosts.serving
        report.serving = serving.name
        report.build = Builds(serving.build.number)
        report.program = Programs(program_of(serving.ready, serving.program.command))

    async def run(self) -> None:
        """Carry it out; whatever happens, one host serves afterwards (FM-93)."""
        try:
            await self._carry_out()
        except MovementAborted as stop:
            await self._abort(stop.step, str(stop))
        except Exception as error:  # noqa: BLE001  (the edge: a bug in here must not leave two hosts, or none)
            asyncio.get_running_loop().call_exception_handler({"message": "copyover", "exception": error})
            await self._after_bug(told_of_bug(error))
        finally:
            await self._tidy()

    async def _carry_out(self) -> None:
        config = self._config()
        await self._build(config)
        await self._ask_vetoes("boot")
        successor = await self._boot()
        chosen = await self._prepare(successor)
        if self._order.action == "test":
            self._report.outcome = "tested"
            self._warn_of_same()
            await self._leave()
        else:
            await self._cross(chosen, successor)

    # --- before anything moves ---

    def _config(self) -> Config:
        try:
            return self._means.load()
        except PerdureError as error:
            raise aborted("build", str(error)) from None

    async def _build(self, config: Config) -> None:
        order = self._order
        command = order.build if order.build is not None else config.copyover.build
        with self.step("build"):
            if command and not (order.no_build or order.to):
                problem = await self._unbroken(self._means.build(command, config.project))
                if problem:
                    raise aborted("build", f"{problem} No host was started.")

    async def _ask_vetoes(self, step: str) -> None:
        """Let the games' modules object.

        Raises:
            MovementAborted: One does.
        """
        vetoes: list[Veto] = []
        for old in self.sides.olds:
            if not self.sides.died(old):
                vetoes += await self.sides.unbroken(vetoes_of(old), step)
        if reason := check_vetoes(vetoes):
            self._report.vetoes = vetoes
            raise aborted(step, reason)

    async def _boot(self) -> HostInstance:
        with self.step("boot"):
            try:
                program = self._hosts.program() if self._stored is None else Program(list(self._stored.program.command))
            except ContractError as error:  # the configuration is read anew: the build may have changed it
                raise aborted("boot", str(error)) from None
            successor = await self._unbroken(self._start(program))
            self._report.build.to = successor.build.number
            self._report.program.to = program_of(successor.ready, successor.program.command)
            await self._check(successor)
            await self._locks.lock_in(successor)
        return successor

    async def _start(self, program: Program) -> HostInstance:
        successor = await self._hosts.start(program, role="empty", niced=True, target=self._target, timeout_s=BOOT_S)
        self.sides.add_successor(successor)
        return successor

    async def _check(self, successor: HostInstance) -> None:
        """Whether this program can follow at all."""
        answer = await self._unbroken(self._means.gateway.ask("status", timeout_s=ASK_S))
        gateway = answer if isinstance(answer, dict) else {}
        for old in self.sides.olds:
            said, told = msgspec.structs.asdict(successor.ready), msgspec.structs.asdict(old.ready)
            if reason := successor_refusal(said, told, gateway):
                raise aborted("boot", reason)
        if self._stored is not None and (reason := check_source(self._stored, successor.ready)):
            raise aborted("boot", reason)

    async def _prepare(self, successor: HostInstance) -> Chosen:
        with self.step("prepare"):
            await self._watch_sessions()
            answers = []
            for number, old in enumerate(self.sides.olds, 1):
                leg = Leg(f"{self._report.id}.{number}", old, successor)
                self.sides.legs.append(leg)
                await self._unbroken(leg.open())
                answers.append(await self._unbroken(leg.prepare(target=self._target, disk=self._stored is None)))
            self._report.program.from_.generations |= await self._unbroken(self.sides.olds[0].code())
            self._report.bytes = sum(answer.bytes for answer in answers)
            self._report.hash_mismatches = sum(answer.hash_mismatches for answer in answers)
            self._report.migrations = [migration for answer in answers for migration in answer.migrations]
            for answer in answers:
                self._report.program.to.generations |= answer.code
            chosen = choose(self._rooms, answers, partial=self._order.partial)
            self._report.rooms.proved = len(chosen.rooms)
            self._check_canary(chosen)
            await self._ask_vetoes("prepare")
        hosts = {room: leg.source.name for leg in self.sides.legs for room in leg.rooms}
        kept = [msgspec.structs.replace(room, host=hosts.get(room.room, "")) for room in chosen.kept]
        return Chosen(chosen.rooms, kept)

    def _check_canary(self, chosen: Chosen) -> None:
        if self._order.canary is not None and not canary.choose(chosen.rooms, self._order.canary, ""):
            raise aborted("prepare", "there are too few rooms for a canary: some have to move, and some to stay.")

    @property
    def _rooms(self) -> list[str]:
        return [room for leg in self.sides.legs for room in leg.rooms]

    @property
    def _target(self) -> dict[str, str] | None:
        """The code that is gone back to; None when what lies on disk is to come."""
        return self._stored.program.generations if self._stored is not None else None

    # --- the move ---

    async def _cross(self, chosen: Chosen, successor: HostInstance) -> None:
        await self._before_move()
        self.phase = "stop"
        self._say_phase()
        crossing = Crossing(self._hosts, self.sides, self._report, successor)
        if self._order.canary is not None:
            self.trial = Trial(
                crossing, self._hosts, self._means.events, self._order, chosen.rooms, self._target,
                self._locks, self._means.clock_s, self._ask_vetoes,
            )  # fmt: skip
            if not await self.trial.run():
                return
        else:
            await crossing.move(self.sides.legs, chosen.rooms, serve=True)
        await crossing.settle(chosen.kept)
        self.phase = "release"
        self._say_phase()
        of_code = self.trial.of_code if self.trial is not None else None
        await crossing.finish(self.sides.legs[-1], self._target, of_code)
        await crossing.close()
        if self._report.outcome == "committed":
            self._warn_of_same()
        self._keep_programs(successor)

    def _warn_of_same(self) -> None:
        if is_same(self._report.program.from_, self._report.program.to):
            self._report.warnings.append(
                "the new program is the same as the one before, with the same code of the games. Was something not "
                "built, or is [host] command another one?"
            )

    def _keep_programs(self, successor: HostInstance) -> None:
        """Remember both, each with the code that it ran last, so that somebody can go back."""
        report = self._report
        old, new = report.program.from_, report.program.to
        for stored in (Stored(report.build.from_, old), Stored(successor.build.number, new)):
            if problem := self._means.programs.keep(stored):
                report.warnings.append(problem)

    # --- the ends ---

    async def _abort(self, step: str, reason: str) -> None:
        self._report.outcome, self._report.aborted_at, self._report.reason = "aborted", step, reason
        await self._leave()

    async def _leave(self) -> None:
        """The successor goes, the old hosts are as before."""
        self.sides.moving = False
        if self.sides.successor is not None:
            await self._end_at_once(self.sides.successor)
        for leg in self.sides.legs:
            if leg.source in self._hosts.all and not self.sides.died(leg.source):
                try:
                    await leg.close(gone=False)
                except PerdureError as error:
                    self._report.warnings.append(f"{leg.source.name} was not told that it is over: {error}")
        if self.sides.died(self.sides.olds[0]):
            await self.sides.wait_running(self._hosts.serving)

    async def _end_at_once(self, successor: HostInstance) -> None:
        if self._hosts.serving is successor:
            self._hosts.serve(next(old for old in self.sides.olds if old in self._hosts.all))
        successor.on_death = None
        hurry = asyncio.Event()
        hurry.set()
        if successor in self._hosts.all:
            await self._hosts.end(successor, hurry=hurry)

    async def _after_bug(self, reason: str) -> None:
        """Whatever went wrong in here: who has rooms goes on."""
        successor = self.sides.successor
        serves = self._hosts.serving is successor
        if successor is None or not (serves or any(self.sides.host_of(room) is successor for room in self._rooms)):
            await self._abort(self.phase or "build", reason)
            return
        self._report.outcome, self._report.reason = "partial", reason
        self.sides.let_serve(successor)
        for leg in self.sides.legs:
            try:
                await leg.close(gone=False)
            except PerdureError as error:
                self._report.warnings.append(f"{leg.source.name} was not told that it is over: {error}")

    async def _tidy(self) -> None:
        """Nothing of it is left in hosts and gateway; the report says who serves."""
        self.sides.let_go()
        if self._watching:
            await self._count_sessions()
        moved = [room for leg in self.sides.legs for room in leg.moved]
        own = [Step(name, ms) for name, ms in self._course.taken]
        self._report.steps = [*own, *(move_steps(moved) if moved else [])]
        self._report.serving = self._hosts.serving.name
        self._report.deaths = self.sides.deaths

    # --- steps ---

    async def _unbroken(self, work: Coroutine[Any, Any, T]) -> T:
        return await self.sides.unbroken(work, self.phase or "build")

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Take a step of the plan: it is in status and events, and its time in the report."""
        self.phase = name
        self._say_phase()
        try:
            with self._course.step(name):
                yield
        except OSError as error:
            raise aborted(name, f"{error.strerror or error}") from error

    def _say_phase(self) -> None:
        self._means.events.emit("copyover-phase", id=self._report.id, phase=self.phase)

    def _fault(self, point: str) -> None:
        if point in OWN_POINTS:
            self._means.fault(point)

    # --- players ---

    async def _watch_sessions(self) -> None:
        try:
            await self._means.gateway.ask("movement.watch", {"on": True}, timeout_s=ASK_S)
        except PerdureError as error:
            self._report.warnings.append(f"the gateway does not measure this copyover: {error}")
        else:
            self._watching = True

    async def _count_sessions(self) -> None:
        try:
            seen = await self._means.gateway.ask("movement.watch", {"on": False}, timeout_s=ASK_S)
            self._report.sessions = Sessions(int(seen["kept"]), int(seen["lost"]))
            self._report.freeze_ms = float(seen["longest_wait_ms"])
        except (PerdureError, KeyError, TypeError, ValueError) as error:
            self._report.warnings.append(f"the gateway did not say what became of the sessions: {error}")
