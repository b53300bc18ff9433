"""A server of fake hosts: they answer what hosts answer, keep owner rows, and fail where a test says so."""

import asyncio
import itertools
import selectors
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from perdure.config import load
from perdure.control_lines import no_server
from perdure.errors import ConfigError, RemoteError, Unavailable
from perdure.ports import Owner
from perdure.supervisor.build import Build
from perdure.supervisor.copyover import Copyovers
from perdure.supervisor.events import Event, EventLog
from perdure.supervisor.history import History
from perdure.supervisor.host_instance import HostInstance, Ready
from perdure.supervisor.hosts import Hosts
from perdure.supervisor.instance import State
from perdure.supervisor.processes import Exit
from perdure.supervisor.program_store import ProgramStore
from perdure.supervisor.programs import Program
from perdure.supervisor.succession import Means

BOOT_S = 2.0
TOML = """[server]
name = "The Inn"
[games.game]
path = "game"
[rooms]
world = "game"
"""


class JumpingLoop(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next timer when nothing else is to be done: an hour takes no time."""

    def __init__(self) -> None:
        super().__init__(selectors.SelectSelector())
        self.ahead_s = 0.0

    def time(self) -> float:
        return self.ahead_s

    def _run_once(self) -> None:
        ready, scheduled = self._ready, self._scheduled  # type: ignore[attr-defined]
        if not ready and scheduled:
            self.ahead_s = max(self.ahead_s, scheduled[0].when())
        super()._run_once()  # type: ignore[misc]


def run(main: Callable[[], Awaitable[Any]]) -> Any:
    """Run a coroutine with a clock that jumps; an hour of its time is the end of its patience."""
    loop = JumpingLoop()

    async def bounded() -> Any:
        async with asyncio.timeout(100_000):
            return await main()

    try:
        return loop.run_until_complete(bounded())
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        while opened:
            opened.pop().close()


opened: list[EventLog] = []


class FakeHost(HostInstance):
    """A host without a process. `fails[method]` is what becomes of it there: see `World.fail`."""

    incarnation = ""

    def __init__(self, world: "World", name: str, program: Program, role: str, source: str) -> None:
        self.world, self.name, self.program, self.role = world, name, program, role  # type: ignore[assignment]
        self.niced, self.draining, self.loads, self.on_death = False, False, True, None
        self.build = world.numbered(source)
        self.ready = Ready(
            "0.1", source, world.same_program.get(source, f"program-{source}"),
            "3.11.7", "/bin/python", link=[1, 2], snapshot=[1, 1], control=[1, 2],
            generations={"game": f"code-{source}"},
        )  # fmt: skip
        self.instance = SimpleNamespace(was_ready=True, state=State.RUNNING, last="", kill=self.kill)  # type: ignore[assignment]
        self.incarnation = f"{name}-{next(world.numbers)}"
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.locked: list[str] = []
        self.open: dict[str, bool] = {}
        self.held = False
        self.serves_code = f"code-{source}"

    def kill(self, reason: str) -> None:
        self.world.die(self, Exit(-1, 9))

    @property
    def rooms(self) -> list[str]:
        return [room for room, owner in self.world.owners.items() if owner.host == self.incarnation]

    async def ask(self, method: str, params: dict[str, Any] | None = None, *, timeout_s: float = 10.0) -> Any:
        if self.instance.state is not State.RUNNING:
            raise no_server(f"{self.name} is being restarted")
        self.asked.append((method, params or {}))
        fails = self.world.fails
        how = fails.get((self.name, method), "") or fails.get((self.world.kind(self), method), "")
        if self.world.reached is not None:
            await self.world.reached(self, method)
        await asyncio.sleep(0.001)
        await self.world.fail(self, method, how, timeout_s)
        answer = getattr(self, "on_" + method.replace("movement.", "").replace("-", "_"))
        return await answer(params or {})

    async def on_status(self, _: dict[str, Any]) -> Any:
        return {}

    async def on_vetoes(self, _: dict[str, Any]) -> Any:
        return {"vetoes": self.world.vetoes.pop(0) if self.world.vetoes else []}

    async def on_open(self, params: dict[str, Any]) -> Any:
        assert params["id"] not in self.open
        if any(self.open.values()):
            raise RemoteError("another movement is not over yet", exit=4)
        self.open[params["id"]] = True
        rooms = params["rooms"] if params["rooms"] is not None else self.rooms
        told = [{"room": r, "game": "game", "generation": "code-old", "epoch": 1, "c": 5, "bytes": 10} for r in rooms]
        self.held = True
        return {"incarnation": self.incarnation, "position": [3, 4096], "gateways": ["g"], "rooms": told}

    async def on_rooms(self, _: dict[str, Any]) -> Any:
        return [{"id": room} for room in self.rooms]

    async def on_games(self, _: dict[str, Any]) -> Any:
        return [{"game": "game", "generation": self.serves_code, "rooms": len(self.rooms)}]

    async def on_prepare(self, params: dict[str, Any]) -> Any:
        rooms = [room["room"] for room in params["rooms"]]
        assert set(params["source"]) == {"incarnation", "position", "gateways"}
        return {
            "rooms": len(rooms), "bytes": 10 * len(rooms), "code": params["target"] or self.ready.generations,
            "refused": [{"room": r, "reason": "no migration"} for r in rooms if r in self.world.refused],
            "hash_mismatches": self.world.mismatches, "failed": self.world.does_not_load, "migrations": [],
        }  # fmt: skip

    async def on_move(self, params: dict[str, Any]) -> Any:
        return await self.world.move(self, params)

    async def on_finish(self, params: dict[str, Any]) -> Any:
        if params.get("canary"):
            await asyncio.sleep(params["watch_s"])
        return {"reports": [{"game": "game", "refreshed": ["inn"]}] if params["reload"] else []}

    async def on_forget(self, _: dict[str, Any]) -> Any:
        return {}

    async def on_close(self, params: dict[str, Any]) -> Any:
        if not any(is_open for id, is_open in self.open.items() if id != params["id"]):
            self.open[params["id"]], self.held = False, params["hold"]
        return {"rooms": self.rooms}

    async def on_recover(self, params: dict[str, Any]) -> Any:
        if self.world.recovers_after:
            self.world.recovers_after -= 1
            raise RemoteError(f"{params['dead']} still counts as alive", exit=6)
        self.world.take(self, params["dead"])
        return {}

    async def on_measure(self, params: dict[str, Any]) -> Any:
        faults = self.world.faults_when_new if self.world.kind(self) == "new" and not params["clear"] else 0
        return {"rooms": len(self.rooms), "callbacks": 1000, "faults": faults, "tick_p50_ms": 0.5, "tick_p99_ms": 1.0}

    async def on_lock(self, params: dict[str, Any]) -> Any:
        self.locked = params["features"]
        self.world.locks.append((self.name, list(params["features"])))
        return {}


class FakeHosts(Hosts):
    """Hosts as the supervisor has them, in memory."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.serving = FakeHost(world, "host-1", Program(["old"]), "serve", "old")
        self.started = 1
        self._hosts = {"host-1": self.serving}
        self.restarting: set[asyncio.Task[None]] = set()
        self._keeper = SimpleNamespace(read=lambda room: world.owners.get(room))  # noqa: PLW0108 - the rows are made later

    async def check_room(self, room: str) -> None:
        assert room in self.world.owners

    def program(self) -> Program:
        load(self.world.folder)
        if self.world.no_program:
            raise ConfigError("there is no program /nowhere")
        return Program(["new"])

    async def start(
        self, program: Program, *, role: Any = "empty", niced: bool = False, target: Any = None, timeout_s: float = 300
    ) -> HostInstance:
        self.started += 1
        host = FakeHost(self.world, f"host-{self.started}", program, role, self.world.source_of(program))
        host.target = target  # type: ignore[attr-defined]
        self._hosts[host.name] = host
        try:
            if self.world.reached is not None:
                await self.world.reached(host, "boot")
            await asyncio.sleep(BOOT_S)
            how = self.world.fails.get(("new", "boot"), "")
            if how == "hang":
                await asyncio.sleep(timeout_s)
            if how:
                raise Unavailable(f"{host.name} exited with code 1.\nImportError", op="host:start")
        except BaseException:
            del self._hosts[host.name]
            raise
        return host

    async def end(self, host: HostInstance, *, hurry: asyncio.Event | None = None) -> None:
        assert host is not self.serving
        host.instance.state = State.STOPPED
        self._hosts.pop(host.name, None)

    def serve(self, host: HostInstance) -> None:
        assert host.name in self._hosts
        former, self.serving = self.serving, host
        former.draining, host.draining = former is not host, False


class FakeGateway:
    def __init__(self, world: "World") -> None:
        self.world, self.said, self.watched = world, [], False  # type: ignore[var-annotated]
        self.countdown: list[bool] = []  # of each text, whether it is a line of a countdown
        self.link = [1, 2]

    async def ask(self, method: str, params: dict[str, Any] | None = None, *, timeout_s: float = 10.0) -> Any:
        match method:
            case "announce":
                assert params is not None
                self.said.append(params["text"])
                self.countdown.append(params["countdown"])
            case "movement.watch":
                assert params is not None
                self.watched = params["on"]
                return {"sessions": 3} if params["on"] else {"kept": 3, "lost": 0, "longest_wait_ms": 42.0, "waits": {}}
            case "status":
                return {"link": self.link, "control": [1, 2]}
        return {}


class World:
    """Everything that a copyover touches.

    Attributes:
        fails: ("old" or "new", method or "boot") -> exit, refuse, hang, kill, nonsense.
        move_dies: (who, after how many rooms): dies in the middle of the move.
        kept_rooms: Whose own move fails.
        same_program: Source -> what hosts with it say of their program alone.
        recovers_after: How often a host takes the dead for living ones.
        dies_after_move: The host that dies when the last room has come to it.
    """

    def __init__(self, folder: Path, rooms: int = 10) -> None:
        self.folder, self.numbers = folder, itertools.count(1)
        (folder / "game").mkdir(exist_ok=True)
        if not (folder / "perdure.toml").exists():
            (folder / "perdure.toml").write_text(TOML)
        self.sources: list[str] = ["before"]
        self.fails: dict[tuple[str, str], str] = {}
        self.move_dies: tuple[str, int] | None = None
        self.kept_rooms: set[str] = set()
        self.refused: set[str] = set()
        self.vetoes: list[list[dict[str, Any]]] = []
        self.mismatches, self.does_not_load, self.no_program, self.faults_when_new = 0, "", False, 0
        self.program_sources = {"old": "old", "new": "new"}
        self.locks: list[tuple[str, list[str]]] = []
        self.reached: Callable[[FakeHost, str], Awaitable[None]] | None = None
        self.built: list[list[str]] = []
        self.same_program: dict[str, str] = {}
        self.recovers_after = 0
        self.dies_after_move = ""
        self.loaded_disk: list[str] = []
        self.build_fails = ""
        self.owners: dict[str, Owner] = {}
        self.hosts = FakeHosts(self)
        self.old = self.hosts.serving
        self.owners = {f"r{n}": Owner(1, self.old.incarnation, 0, 0) for n in range(rooms)}
        self.gateway = FakeGateway(self)
        self.events = EventLog(folder, lambda: "2026-01-01T00:00:00.000Z")
        opened.append(self.events)
        self.seen: list[Event] = []
        self.events.follow(self.seen.append)
        self.programs = ProgramStore(folder)
        means = Means(
            self.hosts, self.gateway, self.owners.get, self.events, self.build, self.programs,
            lambda _: None, asyncio.get_running_loop().time, lambda: load(folder),
        )  # fmt: skip
        self.means = means
        self.history = History(folder, lambda reason: None)
        self.copyovers = Copyovers(means, self.history, lambda: "2026-01-01T12:00:00.000Z")

    # --- what hosts say and do ---

    def kind(self, host: HostInstance) -> str:
        return "old" if host.name == "host-1" else "new"

    def source_of(self, program: Program) -> str:
        return self.program_sources[program.command[0]]

    def numbered(self, source: str) -> Build:
        if self.sources[-1] != source:
            self.sources.append(source)
        return Build(len(self.sources), source)

    async def build(self, command: Any, project: Path) -> str:
        self.built.append(list(command))
        await asyncio.sleep(1)
        return self.build_fails

    async def fail(self, host: FakeHost, method: str, how: str, timeout_s: float) -> None:
        match how:
            case "refuse":
                raise RemoteError(f"{host.name} refuses {method}", exit=1)
            case "hang":
                await asyncio.sleep(timeout_s)
                raise Unavailable(f"{method}: no answer within {timeout_s:g} s", op="control:request", retry=True)
            case "exit" | "kill":
                await self.dies(host, Exit(1) if how == "exit" else Exit(-1, 9))

    async def dies(self, host: FakeHost, exit: Exit) -> None:
        """The channel closes first, the death is noticed a moment later."""
        asyncio.get_running_loop().call_later(0.01, self.die, host, exit)
        await asyncio.sleep(0.005)
        raise no_server("the process at the other end is gone")

    def die(self, host: FakeHost, exit: Exit) -> None:
        if host.name in self.hosts._hosts and host.instance.state is State.RUNNING:
            host.instance.state = State.RESTARTING
            task = asyncio.get_running_loop().create_task(self._death(host, exit))
            self.hosts.restarting.add(task)

    async def _death(self, host: FakeHost, exit: Exit) -> None:
        dead = host.incarnation
        if host.on_death is not None:
            await host.on_death(exit)
        if host is not self.hosts.serving:
            self.hosts._hosts.pop(host.name, None)
            if self.hosts.serving.instance.state is State.RUNNING:
                self.take(self.hosts.serving, [dead])  # type: ignore[arg-type]
            return
        self.fails = {key: how for key, how in self.fails.items() if key[0] not in (self.kind(host), host.name)}
        await asyncio.sleep(BOOT_S)
        host.incarnation = f"{host.name}-{next(self.numbers)}"
        if host.loads:
            self.loaded_disk.append(host.name)
        living = {one.incarnation for one in self.hosts._hosts.values() if one is not host}
        self.take(host, [owner.host for owner in self.owners.values() if owner.host not in living])
        host.instance.state = State.RUNNING

    def take(self, host: FakeHost, dead: list[str]) -> None:
        for room, owner in self.owners.items():
            if owner.host in dead:
                self.owners[room] = Owner(owner.epoch + 1, host.incarnation, 0, 0)

    async def move(self, source: FakeHost, params: dict[str, Any]) -> Any:
        target = next(host for host in self.hosts.all if host.incarnation == params["to"])
        moved: list[dict[str, Any]] = []
        kept: list[dict[str, Any]] = []
        for room in params["rooms"]:
            if self.move_dies is not None and self.move_dies[1] == len(moved):
                who = source if self.move_dies[0] == "old" else target
                self.move_dies = None
                if who is source:
                    await self.dies(source, Exit(-1, 9))
                self.die(target, Exit(-1, 9))  # type: ignore[arg-type]
                await asyncio.sleep(0.3)
            if target.instance.state is not State.RUNNING or room in self.kept_rooms:
                kept.append({"room": room, "at": "verify", "reason": "another hash"})
                if params["all_or_nothing"] and not moved:
                    rest = [one for one in params["rooms"] if one != room]
                    return {"moved": [], "kept": kept + [{"room": r, "at": "stop", "reason": "-"} for r in rest]}
                continue
            self.owners[room] = Owner(self.owners[room].epoch + 1, target.incarnation, 5, 0)
            moved.append({"room": room, "pause_ms": 2.0, "steps": {"stop": 0.5, "commit": 1.0}})
        if self.dies_after_move == target.name:
            self.die(target, Exit(-1, 9))  # type: ignore[arg-type]
        return {"moved": moved, "kept": kept}

    # --- what must be true at the end ---

    def check(self) -> None:
        """One host serves, it is alive, every room is owned by a living host, and nothing of a movement is left."""
        assert self.hosts.serving in self.hosts.all
        assert self.hosts.serving.instance.state is State.RUNNING
        living = {host.incarnation for host in self.hosts.all}
        assert {owner.host for owner in self.owners.values()} <= living
        for host in self.hosts.all:
            assert isinstance(host, FakeHost)
            assert host.on_death is None
            assert host.loads
            assert not any(host.open.values()), f"{host.name} still holds {host.open}"
            assert not host.held, f"{host.name} still holds its reloads"
            assert host.locked == []
        assert not self.gateway.watched
        assert self.copyovers.status()["state"] == "idle"

    def kinds(self) -> list[str]:
        return [event["kind"] for event in self.seen]
