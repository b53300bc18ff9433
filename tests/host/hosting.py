"""Hosts with real stores in a folder, one life after the other, and a gateway whose players keep what they read.

A `Life` is one incarnation of a host on a loop of its own. Its time stands still until the test lets it go on,
so that nothing depends on how quick the machine is; threads are real, and are waited for. `crash` is a kill:
nothing that was on its way arrives any more.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from perdure.config import Config, Game, Login, Server
from perdure.host.bases import Bases
from perdure.host.host import Host
from perdure.host.operators import Operators
from perdure.host.recovery import DeadHosts
from perdure.host.running import Programs, Running
from perdure.host.taking import Stores, Taker
from perdure.link.gateway import GatewayEnd
from perdure.link.messages import EventSent, GatewayHello, Message, OutAck, SeatGone
from perdure.room.callback import Blamed, Callback, Fault
from perdure.room.machine import Guard, unguarded
from perdure.room.program import Faulted, Lifecycle
from perdure.room.record import (
    Answered,
    Cause,
    End,
    Event,
    Go,
    Input,
    Join,
    Leave,
    Mailed,
    Request,
    Started,
    Text,
    TimerFired,
    Wake,
    Who,
)
from perdure.room.tables import Row, Table, TableSpec
from perdure.slot import Slot
from perdure.snapshot.keys import KeyRing
from perdure.store.blobs import FileBlobs
from perdure.store.journal import SegmentJournal
from perdure.store.owners import SqliteOwners

ANN, BOB = "g.1.1", "g.1.2"
DEADLINE_S = 60.0
NOON_US = 1_800_000_000_000_000
KEYS = KeyRing.generate(bytes(range(32)))
BOOT = "boot-1"


# -- the game ------------------------------------------------------------------------------------------


class Diary(Row):
    """What happened in a room, in order."""

    lines: list[str] = []  # noqa: RUF012  (a struct copies it for every row)


DIARY = TableSpec("toy.diary", Diary)


class Unspeakable(Exception):
    """An error that cannot even be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class Toy:
    """A game whose players say what it is to do; everything that happens is written into its diary, and read by all.

    Attributes:
        functions: What `ask NAME` and `again NAME` (idempotent) call.
        broken: Whether the start callback faults.
        missing: Handlers that this code does not have.
        added: Whether a part of it is new to its rooms.
        uses: How many hold it.
        locks: Features that are locked.
    """

    game, generation = "toy", "1"  # (the configuration's name replaces that one)
    tables: Mapping[str, TableSpec] = {DIARY.name: DIARY}
    versions: Mapping[str, int] = {"toy": 1}

    def __init__(self, lifecycle: Lifecycle | None = None) -> None:
        self.lifecycle = lifecycle or Lifecycle()
        self.functions: dict[str, Callable[..., Any]] = {}
        self.broken = False
        self.missing: set[str] = set()
        self.added = False
        self.uses = 0
        self.locks: dict[str, str] = {}

    def bind(self, room: str, tables: Mapping[str, Table[Any, Any]]) -> ToyHandler:
        return ToyHandler(self, tables[DIARY.name])

    def modules(self) -> list[Any]:
        return []

    def faulted(self) -> dict[str, Faulted]:
        return {}

    def learn(self, faulted: Mapping[str, Faulted]) -> None:
        pass

    def resolve(self, function: str) -> Callable[..., Any]:
        return self.functions[function]

    def hold(self) -> None:
        self.uses += 1

    def release(self) -> None:
        assert self.uses, "released once too often"
        self.uses -= 1

    def traceback(self, error: BaseException) -> str:
        return f"traceback of {type(error).__name__}"

    def place(self, error: BaseException) -> tuple[str, int]:
        return "toy.py", 7


class ToyHandler:
    """The game in one room."""

    blamed = Blamed("toy.line", "fault", disabled_after=3)

    def __init__(self, toy: Toy, diary: Table[Diary, str]) -> None:
        self.toy, self.diary = toy, diary

    def call(self, callback: Callback, cause: Cause) -> None:
        match cause:
            case Started():
                self.happened(callback, "start")
                if self.toy.broken:
                    raise RuntimeError("cannot start")
            case Event(session=session, body=Join()):
                self.happened(callback, f"join {session}")
            case Event(session=session, body=Leave()):
                self.happened(callback, f"leave {session}")
            case Event(session=session, body=Input(line=line)):
                self.line(callback, session, line)
            case TimerFired(id=id):
                self.happened(callback, f"timer {id}")
            case Answered(status=status, body=body):
                self.happened(callback, f"answer {status} {msgspec.msgpack.decode(body)}")
            case Mailed(source=source, body=body):
                self.happened(callback, f"mail {source} {body.decode()}")
            case Wake():
                self.happened(callback, "wake")

    def handles(self, handler: str) -> bool:
        return handler not in self.toy.missing

    def let_go(self) -> None:
        pass

    def wants_start(self) -> bool:
        return self.toy.added

    def vetoers(self) -> list[str]:
        return []

    def veto(self, callback: Callback, module: str) -> None:
        return None

    def explain(self, cause: Cause, error: BaseException) -> str:
        return "That failed."

    def line(self, callback: Callback, session: str, line: str) -> None:
        verb, _, rest = line.partition(" ")
        self.happened(callback, line)
        match verb:
            case "fault":
                raise RuntimeError("as you wish")
            case "unspeakable":
                raise Unspeakable
            case "hook":
                callback.faults.append(Fault(RuntimeError("in a hook"), Blamed("toy.prompt")))
            case "timer":
                callback.set_timer(callback.now_us + round(float(rest) * 1e6), "", id=rest)
            case "ask" | "again":
                callback.ask(Request(rest, msgspec.msgpack.encode([]), "answer", b"", 5_000_000, verb == "again"))
            case "mail":
                room, _, body = rest.partition(" ")
                callback.effect(f"room:{room}", body.encode())
            case "text":
                callback.output([session], Text("x" * int(rest)))
            case "go":
                callback.output([session], Go(rest, -1))
            case "over":
                callback.match_over = True
            case "end":
                callback.output([session], End("bye"))

    def happened(self, callback: Callback, line: str) -> None:
        self.diary.setdefault("all", Diary()).lines.append(line)
        callback.output(list(callback.seats), Text(line))


class Shelf:
    """The games' code as a test has put it there; see `perdure.host.running.Programs`."""

    def __init__(self, games: Mapping[str, Toy], others: Mapping[str, Toy]) -> None:
        self._games, self._others = games, others
        for game, toy in games.items():
            toy.game = game

    def current(self, game: str) -> Toy:
        return self._games[game]

    def held(self, game: str, generation: str) -> Toy:
        program = self.at(game, generation)
        program.hold()
        return program

    def at(self, game: str, generation: str) -> Toy:
        return self._others.get(generation, self._games[game])

    def prune(self) -> None:
        pass


# -- time and faults -----------------------------------------------------------------------------------


class SteppedLoop(asyncio.SelectorEventLoop):
    """A real loop whose time stands still until it is let go on."""

    def __init__(self) -> None:
        super().__init__()
        self._now_s = time.monotonic()

    def time(self) -> float:
        return self._now_s

    def advance(self, seconds: float) -> None:
        self._now_s += seconds


class LoopClock:
    """The wall clock that goes with a loop."""

    def __init__(self, loop: SteppedLoop) -> None:
        self._loop, self._start_s = loop, loop.time()

    def now_us(self) -> int:
        return NOON_US + round((self._loop.time() - self._start_s) * 1e6)


class Gate(threading.Event):
    """Holds a thread up until it is set; not for ever, so that a test that fails ends."""

    def wait(self, timeout: float | None = DEADLINE_S) -> bool:
        return super().wait(timeout)


class Died(SystemExit):
    """The process was killed at a fault point: a loop lets this through, and nothing runs after it."""


class Faults:
    """What goes wrong, and when.

    Attributes:
        die_at: (fault point, how many times it is passed before).
        failing: Fault point -> error number, as long as it stands here.
        gates: Fault point -> called there (in a thread of a store, perhaps).
    """

    def __init__(self) -> None:
        self.die_at: tuple[str, int] | None = None
        self.failing: dict[str, int] = {}
        self.gates: dict[str, Callable[[], object]] = {}
        self.passed: list[str] = []

    def __call__(self, point: str) -> None:
        self.passed.append(point)
        if point in self.gates:
            self.gates[point]()
        if point in self.failing:
            raise OSError(self.failing[point], "provoked")
        if self.die_at is not None and self.die_at[0] == point:
            if self.die_at[1] == 0:
                self.die_at = None
                raise Died(point)
            self.die_at = (point, self.die_at[1] - 1)


# -- hosts ---------------------------------------------------------------------------------------------


class World:
    """What outlives a host: stores in a folder, the configuration, the programs.

    Attributes:
        games: Game id -> its program; replaced to change code between lives.
        others: Generation -> the program that is stored under it, beside those that serve.
        rooms: Room id -> game id, as configured for the next life.
        settings: Game id -> its section of the configuration.
        boot_id: The machine's; changed when power is lost.
    """

    def __init__(self, folder: Path, rooms: Mapping[str, str] | None = None, **settings: Any) -> None:
        self.folder = folder
        for name in ("journal", "blobs"):
            (folder / name).mkdir()
        self.rooms = dict(rooms or {"hall": "toy"})
        self.games: dict[str, Toy] = {game: Toy() for game in self.rooms.values()}
        self.others: dict[str, Toy] = {}
        self.settings: dict[str, Game] = {game: Game(path=game, **settings) for game in self.games}
        self.boot_id = BOOT
        self.lives = 0

    @property
    def toy(self) -> Toy:
        return self.games["toy"]

    def programs(self) -> Programs:
        """The code of the games, as a host is given it."""
        return Shelf(self.games, self.others)

    def config(self) -> Config:
        return Config(self.folder, Server(), self.settings, self.rooms, Login(room="hall"))

    def owners(self) -> SqliteOwners:
        return SqliteOwners(self.folder / "owners.db")

    def journals(self) -> list[Path]:
        return sorted(path for path in (self.folder / "journal").iterdir() if not path.name.startswith("."))

    def bases(self, room: str) -> list[Path]:
        """Files of the room's bases, the oldest first."""
        return sorted(path for path in (self.folder / "blobs" / room).rglob("*") if path.is_file())

    def life(self, *, guard: Guard = unguarded, faults: Faults | None = None, start: bool = True) -> Life:
        """The next host."""
        self.lives += 1
        return Life(self, f"host-{self.lives}", guard=guard, faults=faults, start=start)


class Life:
    """One incarnation of a host.

    Attributes:
        host: It.
        events: What went to the event log.
        failed: Reasons for which the host could not go on.
        report: What its recovery says.
    """

    def __init__(
        self, world: World, name: str, *, guard: Guard = unguarded, faults: Faults | None = None, start: bool = True
    ) -> None:
        self.world, self.name, self.faults = world, name, faults or Faults()
        self.events: list[dict[str, Any]] = []
        self.failed: list[str] = []
        self.report: dict[str, Any] = {}
        self.loop = SteppedLoop()
        self.clock = LoopClock(self.loop)
        self._errors: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _, context: self._errors.append(context))
        self.owners = SqliteOwners(world.folder / "owners.db", self.faults)
        self.dead = DeadHosts(world.folder / "journal", name)
        self.journal = SegmentJournal(world.folder / "journal" / name, name, world.boot_id, fault=self.faults)
        bases = Bases(FileBlobs(world.folder / "blobs", self.faults), KEYS, self.clock)
        self.stores = Stores(self.journal, self.owners, self.owners, bases, self.dead)
        slot_fd = Slot.create()
        self.slot = Slot(slot_fd)
        os.close(slot_fd)
        self.over = False
        self.host = Host(
            world.config(), world.programs(), self.stores, incarnation=name, boot_id=world.boot_id, loop=self.loop,
            clock=self.clock, entropy=os.urandom, guard=guard, slot=self.slot, fault=self.faults, send=self._send,
            notify=self.events.append, stop=self.failed.append,
        )  # fmt: skip
        self.operators = Operators(self.host)
        try:
            self.report = self.host.take_rooms()
            if start:
                self.call(self.host.start_rooms)
        except BaseException:
            self.crash()
            raise

    def taker(self, entropy: Callable[[int], bytes] = os.urandom) -> Taker:
        """Another one that takes rooms for this incarnation, from what was read when it began."""
        return Taker(
            self.world.config(), self.world.programs(), self.stores, incarnation=self.name, boot_id=self.world.boot_id,
            clock=self.clock, entropy=entropy, guard=unguarded, fault=self.faults, send=self._send,
            notify=self.events.append,
        )  # fmt: skip

    def running(self, room: str = "hall") -> Running:
        return self.host.rooms[room]

    def diary(self, room: str = "hall") -> list[str]:
        """All that happened in the room."""
        diary = self.running(room).room.tables[DIARY.name].peek("all")
        return list(diary.lines) if diary else []

    def kinds(self) -> list[str]:
        """The kinds of the events, in order."""
        return [event["kind"] for event in self.events]

    # -- running ---------------------------------------------------------------------------------------

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call on the loop, and let everything that follows from it happen."""
        result: list[Any] = []
        self.loop.call_soon(lambda: result.append(function(*args)))
        self.settle()
        return result[0]

    def settle(self, turns: int = 20) -> None:
        """Let the loop turn; what waits for a thread or for time may still be on its way."""
        for _ in range(turns):
            self.loop.call_soon(self.loop.stop)
            self._turn()

    def until(self, condition: Callable[[], object]) -> None:
        """Let the loop turn until `condition` holds."""
        deadline_s = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline_s, "it did not happen"
            self.loop.call_later(0, self.loop.stop)
            time.sleep(0.0005)  # the stores' threads need the interpreter, too
            self._turn()
        self.settle(5)

    def advance(self, seconds: float, step_s: float = 0.25) -> None:
        """Let time pass, in steps."""
        while seconds > 0:
            self.loop.advance(min(seconds, step_s))
            seconds -= step_s
            self.settle(5)

    def pass_until(self, condition: Callable[[], object]) -> None:
        """Let time pass until `condition` holds."""

        def passed() -> bool:
            self.loop.advance(0.1)
            return bool(condition())

        self.until(passed)

    def stop(self) -> None:
        """A clean stop."""
        done: list[None] = []

        async def stop() -> None:
            await self.host.close()
            done.append(None)

        task = self.loop.create_task(stop())
        self.until(lambda: done or task.done())
        task.result()
        self._end()

    def crash(self) -> None:
        """``kill -9``: what is in the journal's mapping and on disk stays, and nothing else."""
        if not self.over:
            self._end()

    def _turn(self) -> None:
        try:
            self.loop.run_forever()
        except Died:
            self.crash()
            raise
        if self._errors:
            raise AssertionError(self._errors[0]["message"]) from self._errors[0].get("exception")

    def _end(self) -> None:
        self.over = True
        for task in asyncio.all_tasks(self.loop):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            task.get_coro().close()
        for pool in (self.host._ledger._syncer, self.host.checkpoints._packer, self.host._asks._threads):
            pool.shutdown(wait=True, cancel_futures=True)
        self.loop.close()
        self.journal.close()
        self.dead.close()
        self.owners.close()
        self.slot.close()

    def __enter__(self) -> Life:
        return self

    def __exit__(self, *_: object) -> None:
        self.crash()

    # -- the link --------------------------------------------------------------------------------------

    def _send(self, link: object, message: Message) -> None:
        assert isinstance(link, Wire)
        if link.life is self:
            self.loop.call_soon(link.heard, message)


class Wire:
    """One connection between a gateway and a life; both directions keep their order."""

    def __init__(self, life: Life, gateway: Gateway) -> None:
        self.life, self.gateway = life, gateway
        self.messages: list[Message] = []

    def heard(self, message: Message) -> None:
        self.messages.append(message)
        if self.gateway.wire is self:
            self.gateway.end.receive(self, message)

    def say(self, message: Message) -> None:
        """To the host, in a later turn."""
        self.life.loop.call_soon(self._deliver, message)

    def _deliver(self, message: Message) -> None:
        match message:
            case GatewayHello(gateway=gateway, epoch=epoch):
                self.life.host.gateways.up(gateway, epoch, self)
            case EventSent() | OutAck() | SeatGone():
                self.life.host.gateways.receive(self, message)


class Gateway:
    """The real rules of a gateway, for players who never miss a word.

    Attributes:
        read: Session -> every text that its player read, in order.
        notices: (session, text) outside of the numbering.
        over: Session -> why it ended.
        slow: Sessions whose players read nothing at the moment.
    """

    def __init__(self, name: str = "g", epoch: int = 1) -> None:
        self.wire: Wire | None = None
        self.read: dict[str, list[str]] = {}
        self.notices: list[tuple[str, str]] = []
        self.over: dict[str, str] = {}
        self.slow: set[str] = set()
        self._unread: dict[str, list[tuple[int, int, str]]] = {}
        self.end = GatewayEnd(
            name, epoch, fallback="hall", send=self._send, show=self._show,
            notify=lambda session, text: self.notices.append((session, text)), over=self.over.__setitem__,
        )  # fmt: skip

    def connect(self, life: Life) -> Wire:
        """A link to this life; an earlier one is over."""
        if self.wire is not None:
            self.end.lost(self.wire)
            if self.wire.life is life:
                life.host.gateways.lost(self.wire)
        self.wire = Wire(life, self)
        self.end.connected(self.wire)
        life.settle()
        return self.wire

    def join(self, session: str = ANN, room: str = "hall", role: str = "player") -> None:
        self.read.setdefault(session, [])
        self.end.enter(session, room, Join(Who(session, session, role)))
        self._settle()

    def type(self, *lines: str, session: str = ANN) -> None:
        for line in lines:
            self.end.submit(session, Input(line))
        self._settle()

    def leave(self, session: str = ANN) -> None:
        self.end.leave(session, "quit")
        self._settle()

    def catch_up(self, session: str = ANN, count: int = 1 << 30) -> None:
        """The slow player reads on: the next `count` texts, or all and is slow no more."""
        waiting = self._unread.setdefault(session, [])
        if count >= len(waiting):
            self.slow.discard(session)
        for _ in range(min(count, len(waiting))):
            self._shown(session, *waiting.pop(0))
        self._settle()

    @property
    def unacknowledged(self) -> int:
        return sum(len(presence.tail) for presence in self.end.sessions.values())

    def _settle(self) -> None:
        if self.wire is not None and not self.wire.life.over:
            self.wire.life.settle()

    def _send(self, link: object, message: Message) -> None:
        assert isinstance(link, Wire)
        if not link.life.over:
            link.say(message)

    def _show(self, session: str, j: int, m: int, text: Text) -> None:
        if session in self.slow:
            self._unread.setdefault(session, []).append((j, m, text.text))
        else:
            self._shown(session, j, m, text.text)

    def _shown(self, session: str, j: int, m: int, text: str) -> None:
        self.read[session].append(text)
        self.end.shown(session, j, m)


def began(world: World, faults: Faults | None = None) -> tuple[Life, Gateway]:
    """A life with Ann in the hall."""
    life, gateway = world.life(faults=faults), Gateway()
    gateway.connect(life)
    gateway.join()
    life.until(lambda: gateway.unacknowledged == 0)
    return life, gateway
