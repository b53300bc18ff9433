"""Copyovers: who may begin one and when, what it is doing, how to end it, and what came of those before.

    idle ── asked for later ──> scheduled ──> preparing ──> moving ──> idle
      └──────────── asked for now ──────────────┘
    recovering: a host that served died, and is not back yet.

One at a time: a second request is refused with what the first is doing. It can be cancelled until it moves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import msgspec

from perdure.config import Config
from perdure.control import Handler
from perdure.errors import ContractError, PerdureError
from perdure.movement.copyover_order import (
    HELP_IN_GAME,
    Asked,
    CopyoverOrder,
    asked,
    check,
    in_game,
    order_of,
)
from perdure.movement.copyover_report import Builds, CopyoverReport, Trigger, event, lines, told
from perdure.movement.copyover_rules import State, Stored, check_vetoes, closing, find_stored, program_of
from perdure.movement.report import encode
from perdure.movement.room_move_report import RoomMoveReport
from perdure.movement.wording import ADMINS_ONLY, counted
from perdure.supervisor.announcer import Announcer
from perdure.supervisor.history import History
from perdure.supervisor.instance import State as InstanceState
from perdure.supervisor.instance import first_of
from perdure.supervisor.locks import Locks
from perdure.supervisor.room_moves import move_room
from perdure.supervisor.succession import Means, Succession, told_of_bug, vetoes_of

TOLD_MAX = 10
"""Reports that @copyover history tells."""


class _InGame(msgspec.Struct):
    """What a host asks for an admin."""

    words: list[str] = []
    key: str = ""
    by: str = ""
    role: str = ""


class Under:
    """The copyover that is under way.

    Attributes:
        task: Ends with its report.
        stored: The program that is gone back to; None for what is configured now.
        succession: Once it prepares.
        cancelled: Why it was cancelled; "" as long as it was not.
    """

    task: asyncio.Task[CopyoverReport]

    def __init__(
        self, order: CopyoverOrder, report: CopyoverReport, stored: Stored | None, clock_s: Callable[[], float]
    ) -> None:
        self.order, self.report, self.stored = order, report, stored
        self._clock_s, self._until_s = clock_s, clock_s() + order.in_s
        self.succession: Succession | None = None
        self.cancelled = ""
        self.cancelling = asyncio.Event()

    @property
    def state(self) -> State:
        """Where it is."""
        if self.succession is None:
            return "scheduled"
        return "moving" if self.succession.sides.moving else "preparing"

    @property
    def in_s(self) -> float | None:
        """Seconds until it begins; None once it has."""
        return round(max(0.0, self._until_s - self._clock_s()), 1) if self.succession is None else None

    @property
    def phase(self) -> str | None:
        """The step that it is at."""
        return self.succession.phase if self.succession is not None else None

    @property
    def watching(self) -> dict[str, Any] | None:
        """The canary, while it is watched; see `Trial.watching`."""
        trial = self.succession.trial if self.succession is not None else None
        return trial.watching if trial is not None else None

    def cancel(self, reason: str) -> bool:
        """End it, if that is still possible: before it moves, or while a canary is watched."""
        if self.state == "moving":
            assert self.succession is not None
            if self.succession.trial is None or not self.succession.trial.cut(reason):
                return False
        elif self.succession is not None:
            self.succession.sides.break_off(reason)
        self.cancelled = self.cancelled or reason
        self.cancelling.set()
        return True

    def __str__(self) -> str:
        who = f", asked for by {self.report.by}" if self.report.by else ""
        doing = f"begins in {self.in_s:g} s" if self.in_s is not None else f"is {self.state} (step {self.phase})"
        if (canary := self.watching) is not None:
            rooms = counted(canary["of"], "room")
            doing = f"watches a canary in {canary['rooms']} of {rooms} for {canary['left_s']:g} s more"
        return f"copyover {self.report.id} {doing}{who}, since {self.report.at[11:19]}"


class Copyovers:
    """The copyovers of a server.

    Args:
        history: What came of those before.
        now: The wall clock, as ISO 8601 text.
    """

    def __init__(self, means: Means, history: History, now: Callable[[], str]) -> None:
        self._means, self._history, self._now = means, history, now
        self._under: Under | None = None
        self._room_moving = ""
        self._room_moves = 0
        self._closing = False
        self._tasks: set[asyncio.Task[Any]] = set()
        for report in history.interrupted:
            means.events.tell(event(report))

    def handlers(self) -> dict[str, Handler]:
        """What the control socket answers, by method name."""
        return {
            "copyover": self._asked,
            "copyover.status": self._status,
            "copyover.cancel": self._cancel,
            "copyover.history": self._told,
            "room.move": self._move_room,
        }

    def host_handlers(self) -> dict[str, Handler]:
        """What hosts may ask, by method name."""
        return {"copyover": self._asked_in_game}

    # --- what is going on ---

    @property
    def busy(self) -> str:
        """What goes on that nothing else may come between, as a sentence; "" for nothing."""
        if self._under is not None and self._under.state != "scheduled":
            return f"{self._under}."
        return f"room {self._room_moving} is being moved." if self._room_moving else ""

    def status(self) -> dict[str, Any]:
        """`copyover.status`, and `copyover` of status."""
        under = self._under
        if under is None:
            return {"state": "recovering" if self._is_away() else "idle", "phase": None}
        report = under.report
        return {
            "state": under.state, "phase": under.phase, "in_s": under.in_s, "canary": under.watching,
            "id": report.id, "at": report.at, "by": report.by, "trigger": report.trigger, "test": report.test,
        }  # fmt: skip

    def _is_away(self) -> bool:
        instance = self._means.hosts.serving.instance
        return instance.was_ready and instance.state is not InstanceState.RUNNING

    # --- beginning and ending ---

    async def request(self, order: CopyoverOrder, trigger: Trigger = "command", key: str = "") -> CopyoverReport:
        """Carry out a copyover; returns when it is over. Whoever asked may go away: it goes on.

        Raises:
            ContractError: The order makes no sense, there is no such program to go back to, or something else is
                under way. Nothing has begun, and nobody was told.
            ConfigError: perdure.toml cannot be used.
        """
        check(order)
        self._refuse_second()
        hosts = self._means.hosts
        config, serving, stored = self._means.load(), hosts.serving, None
        if order.to:
            runs = program_of(serving.ready, serving.program.command)
            runs.generations |= await serving.code()
            self._refuse_second()
            known, before = self._means.programs.all(), self._history.reports
            stored = find_stored(order.to, known, before, Stored(serving.build.number, runs))
        report = CopyoverReport(
            at=self._now(), by=order.by, trigger=trigger, key=key, partial=order.partial, test=order.action == "test",
            to=order.to, serving=serving.name, build=Builds(serving.build.number),
        )  # fmt: skip
        under = self._under = Under(order, report, stored, self._means.clock_s)
        under.task = asyncio.create_task(self._run(under, config))
        return await asyncio.shield(under.task)

    def _refuse_second(self) -> None:
        if self._closing:
            raise ContractError("The server is stopping. No copyover was begun.")
        if self._under is not None or self._room_moving:
            doing = str(self._under) if self._under is not None else f"room {self._room_moving} is being moved"
            raise ContractError(f"One at a time: {doing}. Nothing else was begun. Look: perdure copyover status")

    def begin_by_signal(self) -> None:
        """SIGUSR1: a copyover now."""
        self._begin(self._by_signal())

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """The server stops: end what can be ended, and wait for what moves, which takes seconds."""
        self._closing, reason = True, "the server is being stopped"
        if (under := self._under) is not None:
            if not under.cancel(reason) and under.succession is not None:
                under.succession.sides.break_off(reason)  # new code may be watched for an hour
            await asyncio.wait([under.task])

    async def _by_signal(self) -> None:
        try:
            await self.request(CopyoverOrder(), "signal")
        except PerdureError as error:
            self._means.events.emit("copyover-refused", by="SIGUSR1", reason=str(error))

    # --- one copyover ---

    async def _run(self, under: Under, config: Config) -> CopyoverReport:
        report, means = under.report, self._means
        try:
            self._history.begin(report)
            means.events.emit(
                "copyover-begun", id=report.id, by=report.by, trigger=report.trigger, in_s=under.order.in_s
            )
            await self._carry_out(under, config)
        except Exception as error:  # noqa: BLE001  (the edge: a bug in what is said and locked ends this one alone)
            asyncio.get_running_loop().call_exception_handler({"message": "copyover", "exception": error})
            report.warnings.append(told_of_bug(error))
        finally:
            self._end(under)
        return report

    async def _carry_out(self, under: Under, config: Config) -> None:
        order, report, hosts = under.order, under.report, self._means.hosts
        report.quiet = order.action == "test" or (config.copyover.quiet if order.quiet is None else order.quiet)
        texts = {str(phase): text for phase, text in config.copyover.messages.items()}
        announcer = Announcer(self._means.gateway, texts, config.server.name, quiet=report.quiet)
        before_s = {} if report.test else config.copyover.locks
        locks = Locks(hosts, before_s, report.warnings)
        builds = bool(order.build or (config.copyover.build and not order.no_build and not order.to))
        try:
            if order.in_s or builds:  # else it is said when rooms move: what is refused until then concerns nobody
                await announcer.open(order.in_s, builds=builds)
            if order.in_s:
                self._begin(self._warn_of_vetoes(report))
                countdown = announcer.count_down(order.in_s, self._means.clock_s, locks.passing)
                await first_of(countdown, under.cancelling.wait())
            await self._succeed(under, announcer, locks)
        finally:
            await locks.lift()
        report.cancelled = bool(under.cancelled)
        noticed = under.succession is not None and under.succession.sides.noticed
        if announcer.opened or noticed:
            phase = closing(report, cancelled=report.cancelled, died=noticed)
            reason = report.vetoes[0].reason if report.vetoes else report.reason
            await announcer.say(phase, reason=reason, build=report.build.to)

    async def _succeed(self, under: Under, announcer: Announcer, locks: Locks) -> None:
        if under.cancelled:
            under.report.reason = under.cancelled
            return

        async def before_move() -> None:
            await announcer.open(0.0, builds=False)

        under.succession = Succession(self._means, under.order, under.report, under.stored, locks, before_move)
        await locks.passing(0.0)
        await under.succession.run()

    async def _warn_of_vetoes(self, report: CopyoverReport) -> None:
        """Whoever schedules it reads at once what would be in its way now; players do not."""
        for host in self._means.hosts.all:
            with suppress(PerdureError):  # it is asked again when it begins
                if reason := check_vetoes(await vetoes_of(host)):
                    self._means.events.emit("copyover-warning", id=report.id, reason=f"as of now it would be {reason}")

    def _end(self, under: Under) -> None:
        report = under.report
        self._under = None
        back = report.canary.back if report.canary is not None else None
        self._history.end(report)
        self._means.events.tell(event(report))
        if back is not None:
            back.at = self._now()
            self._history.begin(back)
            self._history.end(back)
            self._means.events.tell(event(back))

    # --- the control socket ---

    async def _asked(self, params: dict[str, Any]) -> Any:
        return encode(await self.request(order_of(params)))

    async def _status(self, _: dict[str, Any]) -> Any:
        return self.status()

    async def _cancel(self, params: dict[str, Any]) -> Any:
        return {"cancelled": self.cancel(str(params.get("by", "")))}

    def cancel(self, by: str) -> int:
        """Cancel what is under way; returns its number.

        Raises:
            ContractError: Nothing is, or it is too late.
        """
        under = self._under
        if under is None:
            raise ContractError("No copyover is under way, so there is none to cancel.")
        if not under.cancel(f"cancelled by {by}" if by else "cancelled"):
            raise ContractError(
                f"It is too late: {under}, and its rooms are with the successor, or on their way. To go back "
                "afterwards: perdure copyover --to previous"
            )
        return under.report.id

    async def _told(self, _: dict[str, Any]) -> Any:
        return [encode(report) for report in self._history.reports]

    async def _move_room(self, params: dict[str, Any]) -> Any:
        room, host = str(params.get("room", "")), str(params.get("host", ""))
        if self._under is not None or self._room_moving or self._closing:
            doing = self.busy or (f"{self._under}." if self._under is not None else "the server is stopping.")
            raise ContractError(f"Room {room} was not moved: {doing}")
        self._room_moving = room
        self._room_moves += 1
        task = asyncio.create_task(move_room(self._means, f"room-{self._room_moves}", room, host))
        task.add_done_callback(self._room_moved)
        return encode(await asyncio.shield(task))

    def _room_moved(self, _: asyncio.Task[RoomMoveReport]) -> None:
        self._room_moving = ""

    # --- @copyover ---

    async def _asked_in_game(self, params: dict[str, Any]) -> Any:
        asking = msgspec.convert(params, _InGame)
        if asking.role != "admin":
            what = {"player": asking.by, "role": asking.role, "what": "@copyover"}
            reason = f"{asking.by} ({asking.role}) typed @copyover, and only admins may"
            self._means.events.emit("copyover-refused", **what, reason=reason)
            return {"text": ADMINS_ONLY}
        try:
            return {"text": in_game(await self._answer(asking))}
        except PerdureError as error:
            return {"text": in_game(str(error))}

    async def _answer(self, asking: _InGame) -> str:
        if asking.key and (known := await self._known(asking.key)) is not None:
            return "\n".join(lines(known))
        if asking.words == ["help"]:
            return HELP_IN_GAME
        wish: Asked = asked(asking.words)
        match wish.action:
            case "status":
                return self._in_words()
            case "cancel":
                return f"Copyover {self.cancel(asking.by)} is cancelled."
            case "history":
                return "\n".join(map(told, self._history.reports[-TOLD_MAX:])) or "There was no copyover yet."
            case "now" | "test":
                order = CopyoverOrder(wish.action, wish.in_s, by=asking.by)
                return "\n".join(lines(await self.request(order, "game", asking.key)))

    async def _known(self, key: str) -> CopyoverReport | None:
        """The report of the request with this key, if there was one; waits for it while it is under way."""
        if self._under is not None and self._under.report.key == key:
            return await asyncio.shield(self._under.task)
        return self._history.find(key)

    def _in_words(self) -> str:
        if self._under is not None:
            return f"C{str(self._under)[1:]}."
        serving = self._means.hosts.serving
        away = " It died, and is being started again." if self._is_away() else ""
        return f"No copyover is under way. {serving.name} serves, build {serving.build.number}.{away}"
