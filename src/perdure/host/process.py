"""Putting a host together: stores, programs, rooms, link and control; for a process of its own, and for `dev`."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import msgspec
import structlog

from perdure.config import Config
from perdure.control import Handler
from perdure.errors import ContractError, PeerError, one_line
from perdure.host.bases import Bases
from perdure.host.collector import Collector
from perdure.host.host import Host
from perdure.host.library import Library
from perdure.host.links import GatewayLink
from perdure.host.recovery import DeadHosts
from perdure.host.reloads import Reloads
from perdure.host.running import HostedProgram
from perdure.host.taking import Stores
from perdure.link.messages import EventSent, GatewayHello, Message, OutAck, SeatGone, agreed_version
from perdure.live.compiling import CompileHelper
from perdure.live.watching import changes
from perdure.logs import set_level
from perdure.movement.order import ReloadOrder, order_of
from perdure.movement.report import encode
from perdure.ports import FaultPoint
from perdure.room.machine import Guard
from perdure.slot import Slot
from perdure.store.blobs import FileBlobs
from perdure.store.files import StateDir
from perdure.store.journal import SegmentJournal
from perdure.store.owners import SqliteOwners

GATEWAY_GRACE_S = 60.0
"""A gateway that does not come back within this time has lost its sessions."""


class WallClock:
    """The machine's clock as it was when this was made, and steady from then on.

    Somebody who sets the machine's clock moves no timer of a running room.
    """

    def __init__(self) -> None:
        self._zero_ns = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)

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
    """A host with its stores, its link and its control methods.

    Args:
        notify: Called with events for the event log.
        stop: Called with a reason when the host cannot go on.
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
    ) -> None:
        self._loop, self._notify = loop, notify
        clock = WallClock()
        owners = SqliteOwners(state.owners_file, fault)
        blobs = FileBlobs(state.blobs, fault)
        library = Library({name: config.game_path(name) for name in config.games}, blobs, owners, notify)
        fault("host:boot")
        bases = Bases(blobs, state.keys, clock)
        dead = DeadHosts(state.journal, incarnation)
        journal = SegmentJournal(state.journal / incarnation, incarnation, boot_id(), fault=fault)
        self.host = Host(
            config, library, Stores(journal, owners, owners, bases, dead),
            incarnation=incarnation, boot_id=boot_id(), loop=loop, clock=clock, entropy=os.urandom,
            guard=guard, slot=slot, fault=fault, send=_send, notify=notify, stop=stop,
        )  # fmt: skip
        self._owners, self._library = owners, library
        self._compiler = CompileHelper()
        self.reloads = Reloads(self.host, library, loop, self._compiler, clock=clock, fault=fault, notify=notify)
        self._collector = Collector(loop, lambda: self.host.ran_s)
        library.retired = self._collector.want
        self._tasks: set[asyncio.Task[None]] = set()
        self._link = GatewayLink(link_path, incarnation, loop, self._received, self._lost)
        self._gateways: dict[str, asyncio.TimerHandle] = {}
        self._linked: str | None = None
        self.recovery: dict[str, Any] = self.host.take_rooms()

    def start(self) -> None:
        """Serve: rooms run, the link connects."""
        self.recovery["first_ms"] = process_age_ms()
        self.host.start_rooms()
        self.recovery["all_ms"] = process_age_ms()
        self._link.connect()
        self._notify({"kind": "recovered", **self.recovery})
        self._collector.start()
        self._begin(self._load_what_is_on_disk())
        for game, settings in self.host.config.games.items():
            if settings.watch:
                self._begin(self._watch(game, poll=settings.watch == "poll"))

    async def close(self) -> None:
        """A clean stop: bases are stored, the journal is closed, nothing needs recovery."""
        for task in self._tasks:
            task.cancel()
        self._collector.close()
        self._compiler.close()
        self._link.close()
        await self.host.close()

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
            self._notify({"kind": "watch-failed", "reason": one_line(error)})

    async def _load_what_is_on_disk(self) -> None:
        """The rooms began with the code that served last; what was edited meanwhile is a reload like any other."""
        for game in self.host.config.games:
            await self.reloads.reload(ReloadOrder(game), "start")

    async def _watch(self, game: str, *, poll: bool) -> None:
        await self.reloads.get_ready(game)
        async for _ in changes(self._library.paths[game], poll):
            try:
                await self.reloads.reload(ReloadOrder(game), "watch")
            except Exception as error:  # noqa: BLE001  (one reload that fails must not end the watch)
                structlog.get_logger().error("reload-failed", game=game, error=one_line(error), exc_info=error)
                self._notify({"kind": "watch-failed", "game": game, "reason": one_line(error)})

    # -- the link ------------------------------------------------------------------------------------

    def _received(self, link: GatewayLink, message: Message) -> None:
        match message:
            case EventSent() | OutAck() | SeatGone():
                self.host.receive(link, message)
            case GatewayHello(lowest=lowest, highest=highest, gateway=gateway, epoch=epoch):
                agreed_version(lowest, highest)
                self._linked = gateway
                if gateway in self._gateways:
                    self._gateways.pop(gateway).cancel()
                self.host.gateway_up(gateway, epoch, link)
            case _:
                raise PeerError(f"a gateway sent {type(message).__name__}, which only hosts send")

    def _lost(self, link: GatewayLink) -> None:
        self.host.gateway_lost(link)
        if self._linked is not None:
            gateway, self._linked = self._linked, None
            self._gateways[gateway] = self._loop.call_later(GATEWAY_GRACE_S, self.host.gateway_dead, gateway)

    # -- control -------------------------------------------------------------------------------------

    def handlers(self) -> Mapping[str, Handler]:
        """The control methods of a host, by name."""
        host = self.host

        async def status(_: dict[str, Any]) -> Any:
            return {"last_recovery": self.recovery, "rooms": len(host.rooms), "aside": self._asides()}

        async def rooms(params: dict[str, Any]) -> Any:
            return self._asides() if params.get("aside") else [running.listing() for running in host.rooms.values()]

        async def show(params: dict[str, Any]) -> Any:
            running = host.running(_room(params))
            room = running.room
            return running.listing() | {
                "tables": {name: len(cells.image()) for name, cells in room.cells.items()},
                "timers": len(room.timers),
                "requests": len(room.requests),
                "effects": {name: len(effects.pending) for name, effects in room.effects.items()},
                "held": len(running.held),
                "players": [
                    {"session": s, "name": seat.who.name, "role": seat.who.role, "out_bytes": seat.outbox_bytes}
                    for s, seat in room.open.items()
                ],
            }

        async def pause(params: dict[str, Any]) -> Any:
            host.pause(_room(params))
            return host.running(_room(params)).listing()

        async def step(params: dict[str, Any]) -> Any:
            return {"ran": host.step(_room(params)), **host.running(_room(params)).listing()}

        async def go_on(params: dict[str, Any]) -> Any:
            host.go_on(_room(params))
            return host.running(_room(params)).listing()

        async def resume(params: dict[str, Any]) -> Any:
            return host.resume(_room(params), skip_input=bool(params.get("skip_input"))).listing()

        async def discard(params: dict[str, Any]) -> Any:
            return host.discard(_room(params)).listing()

        async def modules(_: dict[str, Any]) -> Any:
            served = {game: self._library.current(game) for game in host.config.games}
            return {
                "modules": [
                    {"game": game, **msgspec.to_builtins(module)}
                    for game, program in served.items()
                    for module in program.modules()
                ],
                "generations": [
                    {"id": program.generation, "game": game, "alive": True, "rooms": self._rooms_of(program)}
                    for game, program in self._library.programs()
                ],
            }

        async def games(_: dict[str, Any]) -> Any:
            return [
                {
                    "game": game,
                    "path": str(self._library.paths[game]),
                    "generation": self._library.current(game).generation,
                    "rooms": sum(running.program.game == game for running in host.rooms.values()),
                    "watch": settings.watch,
                    "update": settings.update,
                }
                for game, settings in host.config.games.items()
            ]

        async def reload(params: dict[str, Any]) -> Any:
            return encode(await self.reloads.reload(order_of(params)))

        async def log_level(params: dict[str, Any]) -> Any:
            try:
                set_level(str(params.get("level")))
            except ValueError as error:
                raise ContractError(f"{error}. The level is unchanged.") from None
            return {"level": params.get("level")}

        return {
            "status": status, "rooms": rooms, "room.show": show, "room.pause": pause, "room.step": step,
            "room.continue": go_on, "room.resume": resume, "room.discard": discard, "modules": modules,
            "games": games, "reload": reload, "log-level": log_level,
        }  # fmt: skip

    def _rooms_of(self, program: HostedProgram) -> int:
        return sum(running.program is program for running in self.host.rooms.values())

    def _asides(self) -> list[dict[str, Any]]:
        return [msgspec.to_builtins(aside) for aside in self._owners.all().values()]


def _send(link: object, message: Message) -> None:
    assert isinstance(link, GatewayLink)
    link.send(message)


def _room(params: Mapping[str, Any]) -> str:
    room = params.get("room")
    if not isinstance(room, str):
        raise ContractError("Name the room.")
    return room
