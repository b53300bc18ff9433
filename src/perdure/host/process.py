"""Putting a host together: stores, programs, rooms, link and neighbours; for a process of its own, and for `dev`."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import structlog

import perdure
from perdure.build import program_source
from perdure.collector import Collector
from perdure.config import Config
from perdure.control import Handler
from perdure.errors import PeerError, PerdureError, ProtocolError, Unavailable, one_line
from perdure.games.python.own import COPYOVER_SERVICE
from perdure.host.arrivals import Arrivals
from perdure.host.bases import Bases
from perdure.host.departures import Departures
from perdure.host.host import Host
from perdure.host.library import Library
from perdure.host.links import GatewayLink
from perdure.host.mail import Letter
from perdure.host.peers import Peers, asked
from perdure.host.recovery import DeadHosts
from perdure.host.reloads import Reloads
from perdure.host.taking import Stores
from perdure.link.messages import (
    EventSent,
    GatewayHello,
    Message,
    OutAck,
    SeatGone,
    agreed_version,
)
from perdure.live.compiling import CompileHelper
from perdure.live.sources import capture
from perdure.live.watching import changes
from perdure.movement.move import Offer
from perdure.movement.order import ReloadOrder
from perdure.movement.report import ReloadReport
from perdure.ports import Clock, FaultPoint
from perdure.room.machine import Guard
from perdure.room.record import Answered
from perdure.slot import Slot
from perdure.store.blobs import FileBlobs
from perdure.store.files import StateDir
from perdure.store.journal import SegmentJournal
from perdure.store.owners import SqliteOwners
from perdure.versions import SPOKEN

Ask = Callable[[str, dict[str, Any]], Awaitable[Any]]

GATEWAY_GRACE_S = 60.0
"""A gateway that does not come back within this time has lost its sessions."""


class Peeked(msgspec.Struct):
    """Which rooms a neighbour wants to compare."""

    rooms: list[str]


class WallClock:
    """The machine's clock as it once was, and steady from then on.

    Somebody who sets the machine's clock moves no timer of a running room. All hosts of a server share the
    beginning, so that a room's clock does not jump when another host has it.

    Args:
        zero_ns: Wall clock less CLOCK_BOOTTIME; None: as of now.
    """

    def __init__(self, zero_ns: int | None = None) -> None:
        now_ns = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        self._zero_ns = now_ns if zero_ns is None else zero_ns

    def now_us(self) -> int:
        """Microseconds since the Unix epoch."""
        return (self._zero_ns + time.clock_gettime_ns(time.CLOCK_BOOTTIME)) // 1000


def boot_id() -> str:
    """The kernel's name for the time since the machine was started."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def process_age_ms() -> float:
    """How long ago this process was started, in steps of 10 ms."""
    started_ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return round((time.clock_gettime(time.CLOCK_BOOTTIME) - started_ticks / os.sysconf("SC_CLK_TCK")) * 1e3, 1)


class HostProcess:
    """A host with its stores, its link, and the hosts beside it.

    Args:
        serves: Whether it takes every room whose owner is dead; else it is there for rooms that move to it.
        loads: Whether what lies on disk is loaded, and looked for, from its start on; else when it is told to.
        clock: The rooms'.
        executor: Where copies of rooms are made.
        build: What programs and people call this program.
        program: Its hash, without the games.
        notify: Called with events for the event log.
        stop: Called with a reason when the host cannot go on.
        ask: Asks the supervisor: called with a method and its params.

    Attributes:
        recovery: What it took when it last took rooms of dead hosts; None before that.
    """

    def __init__(
        self,
        config: Config,
        state: StateDir,
        *,
        incarnation: str,
        loop: asyncio.AbstractEventLoop,
        guard: Guard,
        slot: Slot,
        fault: FaultPoint,
        link_path: str,
        notify: Callable[[dict[str, Any]], None],
        stop: Callable[[str], None],
        ask: Ask,
        clock: Clock | None = None,
        executor: Executor | None = None,
        serves: bool = True,
        loads: bool = True,
        build: str = "",
        program: str = "",
    ) -> None:
        self._loop, self.notify, self._ask, self._loads = loop, notify, ask, loads
        self.incarnation = incarnation
        self.clock = clock = clock or WallClock()
        owners = SqliteOwners(state.owners_file, fault)
        blobs = FileBlobs(state.blobs, fault)
        library = Library({name: config.game_path(name) for name in config.games}, blobs, owners, notify)
        fault("host:boot")
        build_text = f", build {build}" if build else ""
        bases = Bases(blobs, state.keys, clock, f"Perdure {perdure.__version__}{build_text}")
        dead = DeadHosts(state.journal, incarnation, claim=serves)
        journal = SegmentJournal(state.journal / incarnation, incarnation, boot_id(), fault=fault)
        if not serves:  # in the pause of a move there is no time for it
            journal.get_ready()
        stores = Stores(journal, owners, owners, bases, dead)
        self.host = Host(
            config, library, stores,
            incarnation=incarnation, boot_id=boot_id(), loop=loop, clock=clock, entropy=os.urandom,
            guard=guard, slot=slot, fault=fault, send=_send, notify=notify, stop=stop,
        )  # fmt: skip
        self.owners, self.library, self._dead = owners, library, dead
        self._compiler = CompileHelper()
        self.reloads = Reloads(self.host, library, loop, self._compiler, clock=clock, fault=fault, notify=notify)
        self._collector = Collector(loop, lambda: self.host.ran_s)
        library.retired = self._collector.want
        self._tasks: set[asyncio.Task[None]] = set()
        self._watched: set[str] = set()
        self._link = GatewayLink(link_path, incarnation, loop, self._received, self._lost, build)
        self._gateways: dict[str, asyncio.TimerHandle] = {}
        self._linked: str | None = None
        self._peers = Peers(
            state.journal, incarnation, self._peer_methods(),
            told=self._peer_told, lost=self._peer_lost, found=self._peer_found,
        )  # fmt: skip
        self.departures = Departures(
            self.host, stores, self._peers, loop, incarnation=incarnation, program=program, fault=fault,
            hold_reloads=self._hold_reloads,
        )  # fmt: skip
        self.arrivals = Arrivals(
            self.host, stores, self._peers, loop, journals=state.journal, incarnation=incarnation, program=program,
            copied=self.host.copy, executor=executor, fault=fault, failed=stop, notify=notify,
        )  # fmt: skip
        self.host.mail.elsewhere = self._mail_elsewhere
        self.host.mail.tell_applied = lambda *letter: self._peers.tell({"kind": "mailed", "letter": letter})
        self.host.forward = lambda room, answer: self._peers.tell(
            {"kind": "answered", "room": room, "answer": msgspec.to_builtins(answer)}
        )
        self.host.services[COPYOVER_SERVICE] = self._copyover_asked
        self.recovery: dict[str, Any] | None = None
        self._recovering = asyncio.Lock()
        if serves:
            self.recovery = self.host.take_rooms()
            owners.upgrade()

    async def start(self) -> None:
        """Serve: rooms run, the link connects, other hosts may."""
        first_ms = process_age_ms()
        self.host.start_rooms()
        all_ms = process_age_ms()
        self._link.connect()
        await self._peers.listen()
        for neighbour in sorted(self._dead.living):
            with suppress(PerdureError):  # it is just ending
                await self._peers.channel(neighbour)
        self._collector.start()
        if self.recovery is not None:
            self.recovery |= {"first_ms": first_ms, "all_ms": all_ms}
            self.notify({"kind": "recovered", **self.recovery})
            if self._loads:
                self._begin(self._load_what_is_on_disk())
                self.watch_all()

    async def close(self) -> None:
        """A clean stop: bases are stored, the journal is closed, nothing needs recovery."""
        for task in self._tasks:
            task.cancel()
        self._collector.close()
        self._compiler.close()
        self._link.close()
        await self.host.close()
        self._peers.close()

    # -- code ----------------------------------------------------------------------------------------

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A watch that fails is told of; the rooms go on (FM-50)."""
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            structlog.get_logger().error("reload-failed", error=one_line(error), exc_info=error)
            self.notify({"kind": "watch-failed", "reason": one_line(error)})

    async def _load_what_is_on_disk(self) -> None:
        """The rooms began with the code that served last; what was edited meanwhile is a reload like any other."""
        for game in self.host.config.games:
            await self.reloads.reload(ReloadOrder(game), "start")

    def watch_all(self) -> None:
        """Look for saved files of the games that want it, from now on; once."""
        for game, settings in self.host.config.games.items():
            if settings.watch and game not in self._watched:
                self._watched.add(game)
                self._begin(self._watch(game, poll=settings.watch == "poll"))

    def _hold_reloads(self, hold: bool) -> None:
        self.reloads.hold("Rooms are on their way to another host" if hold else "")

    async def _watch(self, game: str, *, poll: bool) -> None:
        await self.reloads.get_ready(game)
        async for _ in changes(self.library.paths[game], poll):
            try:
                await self.reloads.reload(ReloadOrder(game), "watch")
            except Exception as error:  # noqa: BLE001  (one reload that fails must not end the watch)
                structlog.get_logger().error("reload-failed", game=game, error=one_line(error), exc_info=error)
                self.notify({"kind": "watch-failed", "game": game, "reason": one_line(error)})

    # -- other hosts -----------------------------------------------------------------------------------

    async def rehearse(self, target: Mapping[str, str] | None) -> list[ReloadReport]:
        """What would come of the code that is to be loaded: nothing is changed."""
        orders = [msgspec.structs.replace(order, dry_run=True) for order in self._orders(target)]
        return [await self.reloads.reload(order, "copyover") for order in orders]

    def _orders(
        self, target: Mapping[str, str] | None, canary: float | None = None, watch_s: float | None = None
    ) -> list[ReloadOrder]:
        """One for each game: what lies on disk, or, where a target is named, stored code for the games in it."""
        games = dict.fromkeys(self.host.config.games, "") if target is None else target
        return [ReloadOrder(game, generation=id, canary=canary, watch_s=watch_s) for game, id in games.items()]

    async def finish(
        self, target: Mapping[str, str] | None, canary: float | None, watch_s: float | None
    ) -> list[ReloadReport]:
        """The rooms have come: watch, take what nobody ever had, and load the code that is to come.

        Args:
            target: Stored code of each game to go back to; None: what lies on disk. What is gone back from is on
                trial from then on: it is not loaded because it happens to lie there.
        """
        self.watch_all()
        self.owners.upgrade()
        await self._peers.ask_all("leave-the-dead")  # this host serves from now on
        await self.recover([])
        reports = [await self.reloads.reload(order, "copyover") for order in self._orders(target, canary, watch_s)]
        for game, generation in (target or {}).items():
            await self.reloads.leave_alone(game, generation)
        return reports

    async def recover(self, dead: list[str]) -> dict[str, Any]:
        """Take the rooms of hosts that have ended; if all of one came here, only its journal is left to be deleted.

        Raises:
            Unavailable: One of them still counts as alive; the rooms of the others are taken.
        """
        began_s = time.perf_counter()
        async with self._recovering:
            owners = {owner.host for owner in self.owners.rooms().values()}
            for incarnation in dead:
                if incarnation not in owners:
                    self._dead.adopt(incarnation, self.owners.owned(incarnation))
            read = await self._loop.run_in_executor(None, self._dead.read)  # it takes long
            taken = self.host.take_dead(read)
        ms = round((time.perf_counter() - began_s) * 1e3, 1)
        taken |= {"first_ms": ms, "all_ms": ms}
        if taken["rooms"]:
            self.recovery = taken
            self.notify({"kind": "recovered", **taken})
        if alive := [incarnation for incarnation in dead if self._dead.alive(incarnation)]:
            raise Unavailable(f"{', '.join(alive)} still holds its journal", op="host:recover", retry=True)
        return taken

    def _peer_methods(self) -> dict[str, Handler]:
        """What other hosts may ask."""

        async def peek(params: dict[str, Any]) -> Any:
            return msgspec.to_builtins(await self.departures.peek(asked(params, Peeked).rooms))

        async def offer(params: dict[str, Any]) -> Any:
            return msgspec.to_builtins(await self.arrivals.offer(asked(params, Offer), str(params["peer"])))

        async def leave_the_dead(_: dict[str, Any]) -> Any:
            self._dead.let_go()
            return {}

        return {"peek": peek, "offer": offer, "leave-the-dead": leave_the_dead}

    def _peer_told(self, incarnation: str, event: dict[str, Any]) -> None:
        """Raises ProtocolError for what is no event of hosts."""
        try:
            self._tell(incarnation, event)
        except msgspec.ValidationError as error:
            raise ProtocolError(f"a neighbour's event {event.get('kind')} does not fit: {error}") from error

    def _tell(self, incarnation: str, event: dict[str, Any]) -> None:
        mail = self.host.mail
        match event:
            case {"kind": "step", "room": str(room), "step": str(step)}:
                self.departures.stepped(room, step)
            case {"kind": "mail", "letters": letters}:
                mail.take_in(msgspec.convert(letters, list[Letter]))
            case {"kind": "mailed", "letter": [str(source), str(target), int(number)]}:
                if source in self.host.rooms:
                    mail.applied(source, target, number)
            case {"kind": "came", "room": str(room)}:
                mail.moved(room)
                mail.post_again()
            case {"kind": "answered", "room": str(room), "answer": answer}:
                if room in self.host.rooms:
                    self.host.answered(room, msgspec.convert(answer, Answered))
            case _:
                structlog.get_logger().warning("peer", incarnation=incarnation, unknown=str(event.get("kind")))

    def _peer_lost(self, incarnation: str) -> None:
        self.arrivals.lost(incarnation)
        self.host.neighbour_lost(incarnation)

    def _peer_found(self, incarnation: str) -> None:
        """What was sent to it before may be lost."""
        del incarnation
        for room in self.host.rooms:
            self.host.mail.moved(room)
        self.host.mail.post_again()

    def _mail_elsewhere(self, letters: list[Letter]) -> bool:
        return self._peers.tell({"kind": "mail", "letters": msgspec.to_builtins(letters)})

    async def _copyover_asked(self, room: str, name: str, role: str, words: list[str], key: str) -> str:
        """The service behind @copyover: what the one who typed it is told, by whichever host then has the room."""
        del room
        try:
            answer = await self._ask("copyover", {"words": words, "key": key, "by": name, "role": role})
        except PerdureError as error:
            return str(error)
        return str(answer["text"])

    # -- the link ------------------------------------------------------------------------------------

    def _received(self, link: GatewayLink, message: Message) -> None:
        match message:
            case EventSent() | OutAck() | SeatGone():
                self.host.gateways.receive(link, message)
            case GatewayHello(lowest=lowest, highest=highest, gateway=gateway, epoch=epoch):
                agreed_version(lowest, highest)
                self._linked = gateway
                if gateway in self._gateways:
                    self._gateways.pop(gateway).cancel()
                self.host.gateways.up(gateway, epoch, link)
            case _:
                raise PeerError(f"a gateway sent {type(message).__name__}, which only hosts send")

    def _lost(self, link: GatewayLink) -> None:
        self.host.gateways.lost(link)
        if self._linked is not None:
            gateway, self._linked = self._linked, None
            self._gateways[gateway] = self._loop.call_later(GATEWAY_GRACE_S, self.host.gateways.dead, gateway)


def said_of_this_program(config: Config, target: Mapping[str, str] | None) -> dict[str, Any]:
    """What a host tells the supervisor about the program that it is.

    Args:
        target: The code that it is to run; None: what lies on disk.
    """
    generations = dict(target or {}) or {game: capture(config.game_path(game)).generation for game in config.games}
    return {
        "version": perdure.__version__,
        "python": platform.python_version(),
        "exe": os.path.realpath(sys.executable),
        "source": program_source(generations),
        "program": program_source({}),
        "generations": generations,
        **{name: list(versions) for name, versions in SPOKEN.items()},
    }


def _send(link: object, message: Message) -> None:
    assert isinstance(link, GatewayLink)
    link.send(message)
