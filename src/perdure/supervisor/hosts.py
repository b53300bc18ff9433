"""All hosts of a server: which one serves, how they begin and end, and who takes what a dead one left.

One host is *serving*: it has the new rooms, and takes the rooms of hosts that are gone. It is restarted when it dies,
as the program that it was. Others have rooms that somebody moved to them, or kept them when most were moved away
(`draining`); when one of them dies it is not started again, and the serving host takes its rooms. Whoever moves rooms
says who serves, by `Hosts.serve`, before the move can leave the old one without.

Who owns a room is said by its owner row alone; the supervisor reads it, and never writes one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from perdure.config import load
from perdure.control import Handler
from perdure.control_lines import EXIT_TAKEN
from perdure.errors import ContractError, PerdureError, RemoteError, StorageError, Unavailable
from perdure.movement.wording import unknown
from perdure.ports import FaultPoint
from perdure.supervisor.backoff import Backoff
from perdure.supervisor.build import UNSAID, Build, newest, number_of
from perdure.supervisor.control_socket import LINK_SOCKET
from perdure.supervisor.deaths import DeathRecord, aside_of
from perdure.supervisor.events import EventLog
from perdure.supervisor.host_instance import HostInstance, Role, ready_of
from perdure.supervisor.instance import EXIT_S, Boot, Instance, State, first_of
from perdure.supervisor.merging import merged
from perdure.supervisor.old_logs import prune
from perdure.supervisor.output import Output
from perdure.supervisor.processes import Exit, Processes
from perdure.supervisor.programs import Program, configured, environment
from perdure.supervisor.settings import Keeper, Settings
from perdure.supervisor.sockets import SocketFolder

BOOT_S = 300.0
"""Longest boot of a host that the server was not started with: one with a low weight takes its time."""
STOP_S = 20.0
"""Longest wait for the bases of a clean stop; without them the next host reads the journal instead."""
RECOVER_S = 120.0
SLOT_LOOK_S = 0.25
ANSWER_S = 10.0


class Hosts:
    """The hosts of a server; `open` starts the first.

    Args:
        folder: Holds the link's socket.
        fault: Asked when a host died.

    Attributes:
        serving: The host that recovers, and gets the new rooms.
        handlers: What hosts may ask of the supervisor, by method name; whoever serves a method puts it in.
        over: Set when the server cannot go on: its first start was refused, or there is a bug in here.
        failure: Then the exit code, and why; None for a bug, which `close` raises.
    """

    serving: HostInstance

    def __init__(
        self,
        settings: Settings,
        keeper: Keeper,
        *,
        events: EventLog,
        processes: Processes,
        folder: SocketFolder,
        fault: FaultPoint,
    ) -> None:
        self._settings, self._keeper, self._events = settings, keeper, events
        self._processes, self._folder, self._fault = processes, folder, fault
        self.handlers: dict[str, Handler] = {}
        self.over = asyncio.Event()
        self.failure: tuple[int, str] | None = None
        self._bug: BaseException | None = None
        self._hosts: dict[str, HostInstance] = {}
        self._started = 0
        self._record = DeathRecord()
        self._clock_zero_ns = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        self._left: set[str] = set()  # incarnations that ended, of which nobody has taken what they left
        self._look = asyncio.Event()
        self._watching: list[asyncio.Task[None]] = []
        self._closing = False

    # --- which ---

    @property
    def all(self) -> list[HostInstance]:
        """Every host, the oldest first."""
        return list(self._hosts.values())

    @property
    def build(self) -> Build:
        """What serves; before the first host is ready, the newest that ever did."""
        return self.serving.build if self.serving.build.number else newest(self._settings.state)

    def named(self, name: str) -> HostInstance:
        """The host with this name.

        Raises:
            ContractError: There is none.
        """
        if name not in self._hosts:
            raise ContractError(f"There is {unknown('host', name, self._hosts)}")
        return self._hosts[name]

    async def of_room(self, room: str) -> HostInstance:
        """The host whose room it is by the owner row; the serving one for a room whose owner is gone, or unknown.

        Raises:
            StorageError: The row cannot be read.
        """
        if len(self._hosts) == 1:
            return self.serving
        owner = self._keeper.read(room)
        return next((host for host in self.all if owner and host.incarnation == owner.host), self.serving)

    async def check_room(self, room: str) -> None:
        """Make sure that there is such a room, in whichever host.

        Raises:
            ContractError: There is none; the message has the nearest name.
        """
        if self._keeper.read(room) is None:
            rooms = [str(listed.get("id")) for listed in await self.merged("rooms")]
            if room not in rooms:
                raise ContractError(f"There is {unknown('room', room, rooms)}")

    def program(self) -> Program:
        """What a host that is started now would run: the configuration is read anew.

        Raises:
            ConfigError: The configuration, or the program that it names, cannot be used.
        """
        settings = self._settings
        command = settings.commands.get(f"host-{self._started + 1}")
        return Program(list(command)) if command else configured(load(settings.config.project), settings.environ)

    # --- beginning and ending ---

    def open(self) -> None:
        """Start the first host, which serves; it is started again until it is ready, or refuses.

        Raises:
            ConfigError: As `program`.
        """
        self.serving = self._add(self.program(), "serve")
        self._watching = [asyncio.create_task(work) for work in (self._watch_slots(), self._keep_recovered())]

    async def start(
        self,
        program: Program,
        *,
        role: Role = "empty",
        niced: bool = False,
        target: Mapping[str, str] | None = None,
        timeout_s: float = BOOT_S,
    ) -> HostInstance:
        """Start one more host, and wait until it is ready; nothing of it is left if it is not, or if this is cancelled.

        Args:
            target: Game -> id of the code that it is to run; None: what lies on disk.

        Raises:
            Unavailable: It did not get ready, with the last that it said; or the server is stopping.
        """
        if self._closing:
            raise Unavailable("The server is stopping, so no host was started.", op="host:start")
        host = self._add(program, role, niced=niced, target=target)
        failure = f"{host.name} was not waited for"
        try:
            await first_of(host.instance.ready.wait(), asyncio.wait([host.task]), timeout_s=timeout_s)
            lost = not host.instance.was_ready or host.task.done()
            failure = host.instance.failure("it was ended, and nothing else changed", brief=True) if lost else ""
        finally:
            if failure:
                await self.end(host)
        if failure:
            raise Unavailable(failure, op="host:start")
        return host

    async def end(self, host: HostInstance, *, hurry: asyncio.Event | None = None) -> None:
        """End a host in order, with all its descendants, and forget it; `hurry` ends the patience at once.

        What it left is the serving host's then: its journal, and rooms if it had any. One that is gone is fine.
        """
        assert host is not self.serving, "a server has a serving host until it stops"
        if host.name not in self._hosts:
            return
        await host.instance.stop(STOP_S, hurry or asyncio.Event())
        await asyncio.wait([host.task], timeout=EXIT_S)
        process = host.instance.process
        if process is not None and process.exit is None:
            self._events.emit("stuck", pids=[process.pid], note="this process does not die; the kernel holds it")
        host.task.cancel()
        self._forget(host)

    def serve(self, host: HostInstance) -> None:
        """Make it the serving host: at its death it is started again, and it takes the rooms of those that are gone.

        The one that served before is `draining` from here on, and at its death its rooms go to this one.
        """
        assert host.name in self._hosts
        former, self.serving = self.serving, host
        if former is not host:
            former.draining, former.role = True, "empty"
        host.draining, host.role = False, "serve"
        self._look.set()

    async def close(self, hurry: asyncio.Event) -> None:
        """End all hosts in order, the serving one too; nothing is started any more.

        Raises:
            BaseException: The bug that ended the server, if one did.
        """
        self._closing = True
        for watching in self._watching:
            watching.cancel()
        await asyncio.gather(*(host.instance.stop(STOP_S, hurry) for host in self.all))
        tasks = [host.task for host in self.all]
        if tasks:
            await asyncio.wait(tasks, timeout=EXIT_S)
        for host in self.all:
            self._forget(host)
        if self._bug is not None:
            raise self._bug

    # --- asking ---

    async def merged(self, method: str, params: dict[str, Any] | None = None) -> Any:
        """Ask every host that runs, and put the answers together: each room, module and generation gets its `host`.

        Raises:
            PerdureError: A host refused, or did not answer: half an answer would not say what is missing.
        """
        others = [host for host in self.all if host is not self.serving and host.instance.state is State.RUNNING]
        asked = [self.serving, *others]
        if method == "rooms" and params and params.get("aside"):
            asked = [self.serving]  # the list of rooms that are aside is one for all
        answers = await asyncio.gather(*(host.ask(method, params, timeout_s=ANSWER_S) for host in asked))
        return merged(method, {host.name: answer for host, answer in zip(asked, answers, strict=True)})

    async def forward(self, method: str, params: dict[str, Any]) -> Any:
        """Ask the host that has the room `params["room"]`; one that has just given it away is passed over."""
        room = str(params.get("room"))
        host = await self.of_room(room)
        try:
            answer = await host.ask(method, params, timeout_s=ANSWER_S)
        except RemoteError:
            now = await self.of_room(room)
            if now is host:
                if len(self._hosts) > 1:  # else its own words name all rooms
                    await self.check_room(room)
                raise
            host, answer = now, await now.ask(method, params, timeout_s=ANSWER_S)
        return {**answer, "host": host.name} if isinstance(answer, dict) else answer

    # --- one host ---

    def _add(
        self, program: Program, role: Role, *, niced: bool = False, target: Mapping[str, str] | None = None
    ) -> HostInstance:
        settings = self._settings
        self._started += 1
        name = f"host-{self._started}"
        prune(settings.state / "logs", {*self._hosts, name})
        host = HostInstance(name, program, role, self._record)
        host.first = {"niced": niced, "target": dict(target) if target is not None else None}

        async def died(_: Instance, exit: Exit) -> bool:
            return await self._died(host, exit)

        def readied(said: dict[str, Any]) -> None:
            self._readied(host, said)

        host.instance = Instance(
            name,
            program.command,
            env=environment(settings.environ, name, original=self._started == 1),
            processes=self._processes,
            output=Output(settings.state / "logs" / f"{name}.log"),
            events=self._events,
            boot=lambda: self._boot(host),
            handlers=self.handlers,
            readied=readied,
            died=died,
        )
        self._hosts[name] = host
        host.task = asyncio.create_task(host.instance.run())
        host.task.add_done_callback(self._task_ended)
        return host

    def _boot(self, host: HostInstance) -> Boot:
        """The boot document of the next incarnation (docs/protocols.md)."""
        settings, known = self._settings, newest(self._settings.state)
        host.takes = frozenset(self._left) if host.role == "serve" else frozenset()
        first, host.first = host.first, {"niced": False, "target": None}
        values = {
            "project": str(settings.config.project),
            "state": str(settings.state),
            "log_level": settings.log_level,
            "link_path": self._folder.address(LINK_SOCKET),
            "slot_fd": host.watch.fd,
            "role": host.role,
            "load": host.loads,
            **first,
            "clock_zero_ns": self._clock_zero_ns,
            "build": known.number,
            "build_source": known.source,
        }
        return Boot(values, (host.watch.fd, self._folder.fd))

    def _readied(self, host: HostInstance, said: dict[str, Any]) -> None:
        host.ready = ready_of(said)
        source = host.ready.source or UNSAID
        host.build = Build(number_of(self._settings.state, source), source)
        host.instance.build = host.build.number
        self._left -= host.takes
        self._look.set()

    async def _died(self, host: HostInstance, exit: Exit) -> bool:
        """A death that nobody ordered: whether to start again."""
        self._fault("supervisor:host-died")
        self._count_death(host, exit)
        if host.on_death is not None:
            await host.on_death(exit)
        if host.incarnation:
            self._left.add(host.incarnation)
        if host is not self.serving:
            if host.instance.was_ready:
                self._events.emit("host-lost", name=host.name, to=self.serving.name)
            self._forget(host)
            return False
        if not host.instance.was_ready and 0 < exit.code <= EXIT_TAKEN:
            self.failure = (exit.code, host.instance.failure("nothing is served"))
            return False
        return True

    def _count_death(self, host: HostInstance, exit: Exit) -> None:
        executing, twice = host.watch.died()
        if executing is None:
            return
        aside = aside_of(executing, str(exit), time.time_ns() // 1000)
        fields = msgspec.structs.asdict(aside)
        if not twice:
            del fields["reason"], fields["since_us"]
            self._events.emit("died-executing", **fields, how=str(exit))
            return
        try:
            self._keeper.put(aside)
        except StorageError as error:
            self._events.emit("aside-failed", room=aside.room, message=str(error))
        else:
            self._events.emit("aside", **fields)

    def _forget(self, host: HostInstance) -> None:
        """It is no more: its rooms, if it has any, are the serving host's to take."""
        if self._hosts.pop(host.name, None) is None:
            return
        if host.incarnation:
            self._left.add(host.incarnation)
        self._look.set()
        host.watch.stopped()
        host.watch.close()
        host.instance.output.close()

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._bug = task.exception()
        if self._bug is not None or self.failure is not None:
            self.over.set()

    # --- all the time ---

    async def _watch_slots(self) -> None:
        while True:
            await asyncio.sleep(SLOT_LOOK_S)
            for host in self.all:
                executing = host.watch.overdue()
                if executing is not None and host.instance.state is not State.STOPPING:
                    what = f"callback {executing.c} of room {executing.room}"
                    host.instance.kill(f"{what} exceeded its budget and could not be cut")

    async def _keep_recovered(self) -> None:
        """Let the serving host take what others left, unless it is started anew meanwhile and takes it at its boot."""
        backoff, said = Backoff(), ""
        while True:
            await self._look.wait()
            self._look.clear()
            host, dead = self.serving, sorted(self._left)
            if not dead or host.instance.state is not State.RUNNING:
                continue  # whatever changes that says so
            try:
                await host.ask("recover", {"dead": dead}, timeout_s=RECOVER_S)
            except PerdureError as error:
                if said != (said := f"{error}"):
                    self._events.emit("recover-failed", name=host.name, dead=dead, reason=said)
                asyncio.get_running_loop().call_later(backoff.next_delay_s(), self._look.set)
            else:
                self._left.difference_update(dead)
                backoff.reset()
