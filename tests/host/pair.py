"""Real host processes on one state folder, a gateway with the real rules, and whoever tells the hosts to move rooms.

Nobody supervises: a test holds the control channel of each host, as the supervisor would, and says every step
itself. All processes end with the `Pair`; a condition that does not come about ends the test after `DEADLINE_S`.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

from perdure.control import Channel, open_channel_socket
from perdure.errors import ProtocolError
from perdure.gateway.host_link import HostLink
from perdure.link.gateway import GatewayEnd
from perdure.link.messages import Message
from perdure.ports import Owner
from perdure.room.record import Input, Join, Text, Who
from perdure.slot import Slot
from perdure.store.files import StateDir
from perdure.store.owners import SqliteOwners

DEADLINE_S = 60.0
LOOK_S = 0.002
AHEAD_S = 3600
"""The rooms' clock is so far ahead of the machine's: a host that read its own would be noticed."""

GAME = '''
import time
from pathlib import Path

from perdure import Answer, Event, Game, Player, Row, Table, command, on

VERSION = 1


class Diary(Row):
    lines: list[str] = []


class Letter(Event):
    author: str
    text: str


def fetch(gate: str) -> str:
    """Wait until the file is there; a line in its neighbour tells of every call."""
    with open(gate + ".asked", "a") as asked:
        asked.write("asked\\n")
    until_s = time.monotonic() + 20
    while not Path(gate).exists() and time.monotonic() < until_s:
        time.sleep(0.002)
    return "fetched"


class Play(Game):
    diaries: Table[Diary]
    # lifecycle

    def happened(self, line: str) -> None:
        self.diaries.setdefault("all", Diary()).lines.append(line)
        self.say(line)

    def join(self, player: Player) -> None:
        self.happened(f"{player.name} joins")

    def leave(self, player: Player) -> None:
        self.happened(f"{player.name} leaves")

    def input(self, player: Player, line: str) -> bool:
        verb, _, rest = line.partition(" ")
        match verb:
            case "fail":
                return False
            case "say":
                self.happened(rest)
            case "diary":
                player.tell("diary " + "|".join(self.diaries["all"].lines))
            case "version":
                player.tell(f"version {VERSION} at {self.room.now}")
            case "big":
                self.say("x" * int(rest))
            case "timer":
                self.room.after(float(rest), self.rang, rest, self.room.now)
            case "fetch" | "refetch":
                self.room.ask(
                    fetch, rest, then=self.fetched, context=(Path(rest).name,), timeout=60.0,
                    idempotent=verb == "refetch",
                )
            case "post":
                room, _, text = rest.partition(" ")
                self.room.mail(room, Letter(self.room.id, text))
        return True

    @command("fail")
    def fail(self, player: Player) -> None:
        raise ValueError("on purpose")

    def rang(self, name: str, since_s: float) -> None:
        self.happened(f"timer {name} {'early' if self.room.now - since_s < float(name) else 'due'}")

    def fetched(self, answer: Answer[str], gate: str) -> None:
        self.happened(f"{gate} {answer.value if answer.ok else 'interrupted' if answer.interrupted else answer.error}")

    @on(Letter)
    def delivered(self, letter: Letter) -> None:
        self.happened(f"from {letter.author}: {letter.text}")
'''
GAMES: Mapping[str, Mapping[str, str]] = {
    "play": {},
    "sure": {"durability": "power"},
    "rare": {"durability": "checkpoint"},
    "loose": {"durability": "none"},
    "idle": {"update": "idle"},
    "brief": {"lifecycle": 'lifecycle = "ephemeral"\n    grace_s = 0.3'},
}
"""Game -> its section in perdure.toml; `lifecycle` is a line of its class."""
ROOMS: Mapping[str, str] = {
    **{f"play{number}": "play" for number in range(6)},
    **{f"{game}{number}": game for game in list(GAMES)[1:] for number in range(2)},
}


async def until(condition: Callable[[], object], what: str) -> None:
    """Let the loop run until `condition` holds."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline_s, f"it did not come about that {what}"
        await asyncio.sleep(LOOK_S)


async def until_asked(ask: Callable[[], Awaitable[object]], what: str) -> None:
    """As `until`, with a condition that somebody has to be asked for."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not await ask():
        assert time.monotonic() < deadline_s, f"it did not come about that {what}"
        await asyncio.sleep(LOOK_S)


class Gateway:
    """The real rules of a gateway, on a real socket, with players who read everything at once.

    Attributes:
        read: Session -> what its player read, in order.
        notices: (session, text) outside of the numbering.
        over: Session -> why it ended.
        slow: Sessions whose players read nothing.
        broken: Why links to hosts were ended: nobody should break the protocol.
    """

    def __init__(self, path: Path) -> None:
        self._loop = asyncio.get_running_loop()
        self.read: dict[str, list[str]] = {}
        self.notices: list[tuple[str, str]] = []
        self.over: dict[str, str] = {}
        self.slow: set[str] = set()
        self.broken: list[str] = []
        self._links: list[HostLink] = []
        self.end = GatewayEnd(
            "g", 1, fallback="play0", send=self._send, show=self._show,
            notify=lambda session, text: self.notices.append((session, text)), over=self.over.__setitem__,
        )  # fmt: skip
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._listener.setblocking(False)
        self.accept(True)

    def accept(self, on: bool) -> None:
        """Whether hosts that connect are answered; they connect all the same."""
        if on:
            self._loop.add_reader(self._listener, self._knocked)
        else:
            self._loop.remove_reader(self._listener)

    def close(self) -> None:
        self.accept(False)
        for link in self._links:
            link.close()
        self._listener.close()

    def unacknowledged(self, session: str) -> int:
        """How much of what the player typed no room has yet."""
        presence = self.end.sessions.get(session)
        return 0 if presence is None else len(presence.tail)

    def _knocked(self) -> None:
        sock, _ = self._listener.accept()
        link = HostLink(sock, self._loop, self)
        self._links.append(link)
        link.start()
        self.end.connected(link)

    def _send(self, link: object, message: Message) -> None:
        assert isinstance(link, HostLink)
        link.send(message)

    def _show(self, session: str, j: int, m: int, text: Text) -> None:
        self.read[session].append(text.text.removesuffix("\n"))
        if session not in self.slow:
            self._loop.call_soon(self.end.shown, session, j, m)

    # what a link tells its owner

    def arrived(self, link: HostLink, messages: list[Message]) -> None:
        for message in messages:
            self.end.receive(link, message)

    def unsent(self, link: HostLink) -> None:
        self._loop.call_soon(link.flush)

    def link_over(self, link: HostLink, reason: str) -> None:
        self._links.remove(link)
        if reason:
            self.broken.append(reason)
        self.end.lost(link)


class Player:
    """Somebody in a room."""

    def __init__(self, gateway: Gateway, session: str) -> None:
        self.gateway, self.session = gateway, session
        gateway.read[session] = []

    @property
    def read(self) -> list[str]:
        return self.gateway.read[self.session]

    def type(self, *lines: str) -> None:
        for line in lines:
            self.gateway.end.submit(self.session, Input(line))

    async def sees(self, line: str) -> None:
        """Wait until this was read."""
        await until(lambda: line in self.read, f"{self.session} reads {line!r}; it read {self.read[-20:]}")

    async def settled(self) -> None:
        """Wait until a room has all that was typed."""
        await until(lambda: not self.gateway.unacknowledged(self.session), f"all of {self.session} is acknowledged")

    async def diary(self) -> list[str]:
        """What happened in the room, as it has it itself."""
        asked = len(self.read)
        self.type("diary")

        def told() -> list[str]:
            return [line for line in self.read[asked:] if line.startswith("diary ")]

        await until(told, "the room tells its diary")
        return told()[0].removeprefix("diary ").split("|")

    async def leave(self) -> None:
        self.gateway.end.leave(self.session, "quit")
        await until(lambda: self.session in self.gateway.over, f"{self.session} has left")


class HostInTest:
    """One host process.

    Attributes:
        name, incarnation: What it is called.
        events: What it notified.
    """

    def __init__(self, name: str, incarnation: str, popen: subprocess.Popen[bytes]) -> None:
        self.name, self.incarnation, self.popen = name, incarnation, popen
        self.events: list[dict[str, Any]] = []
        self.channel: Channel
        self.serving: asyncio.Task[None]

    @property
    def pid(self) -> int:
        assert self.popen.pid > 1
        return self.popen.pid

    @property
    def alive(self) -> bool:
        return self.popen.poll() is None

    def kinds(self) -> list[str]:
        return [event["kind"] for event in self.events]

    async def ask(self, method: str, **params: Any) -> Any:
        return await self.channel.request(method, params, timeout_s=DEADLINE_S)

    async def died(self) -> None:
        """Wait for its end."""
        await until(lambda: not self.alive, f"{self.name} ends")
        await asyncio.wait([self.serving])

    async def kill(self) -> None:
        if self.alive:
            os.kill(self.pid, signal.SIGKILL)
        await self.died()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It does nothing inside the block."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            if self.alive:
                os.kill(self.pid, signal.SIGCONT)

    # -- what the kernel knows of it

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def threads(self) -> dict[int, tuple[str, int, int]]:
        """Thread -> its name, its nice value, and for how many nanoseconds it has run."""
        found = {}
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            with suppress(FileNotFoundError):
                nice = int((task / "stat").read_text().rpartition(")")[2].split()[16])
                ran_ns = int((task / "schedstat").read_text().split()[0])
                found[int(task.name)] = ((task / "comm").read_text().strip(), nice, ran_ns)
        return found


class Moved:
    """Which rooms moved, and which did not: room -> (at which step, why)."""

    def __init__(self, outcome: dict[str, Any]) -> None:
        self.rooms = sorted(each["room"] for each in outcome["moved"])
        self.kept = {each["room"]: (each["at"], each["reason"]) for each in outcome["kept"]}


class Pair:
    """Hosts on one state folder.

    Attributes:
        hosts: All that were ever booted.
    """

    def __init__(self, folder: Path, rooms: Mapping[str, str] = ROOMS) -> None:
        self.folder = folder
        self.hosts: list[HostInTest] = []
        self._zero_ns = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME) + AHEAD_S * 10**9
        self._players = 0
        self._write_project(rooms)
        self.state = StateDir.open(folder / "state", version="test")
        self.owners = SqliteOwners(self.state.owners_file)
        self.gateway = Gateway(self._link)

    @property
    def _link(self) -> Path:
        return self.state.path / "link.sock"

    def _write_project(self, rooms: Mapping[str, str]) -> None:
        lines = ["[server]", 'name = "Pair"', 'telnet = "127.0.0.1:0"', 'web = "127.0.0.1:0"']
        for game in sorted(set(rooms.values())):
            settings = dict(GAMES[game])
            (self.folder / game).mkdir()
            source = GAME.replace("# lifecycle", settings.pop("lifecycle", ""))
            (self.folder / game / "__init__.py").write_text(source)
            lines += [f"[games.{game}]", f'path = "{game}"', *(f'{key} = "{value}"' for key, value in settings.items())]
        lines += ["[rooms]", *(f'{room} = "{game}"' for room, game in rooms.items()), "[login]", 'room = "play0"']
        (self.folder / "perdure.toml").write_text("\n".join(lines) + "\n")

    def edit(self, game: str, old: str, new: str) -> None:
        """Change the game's source."""
        file = self.folder / game / "__init__.py"
        source = file.read_text()
        assert old in source
        file.write_text(source.replace(old, new))

    # -- hosts ---------------------------------------------------------------------------------------

    async def boot(self, *, serves: bool = False, fault: str = "") -> HostInTest:
        """A new host, ready.

        Args:
            serves: Whether it takes the rooms of the dead; else it boots as a successor does, and waits for rooms.
            fault: See `perdure.faults`.
        """
        name = f"host-{len(self.hosts) + 1}"
        incarnation = f"{name}-test"
        ours, theirs = socket.socketpair()
        slot = Slot.create()
        boot = {
            "project": str(self.folder), "state": str(self.state.path), "name": name, "incarnation": incarnation,
            "control_fd": theirs.fileno(), "link_path": str(self._link), "slot_fd": slot, "build": 1,
            "role": "serve" if serves else "empty", "niced": not serves, "clock_zero_ns": self._zero_ns,
        }  # fmt: skip
        clean = {key: value for key, value in os.environ.items() if not key.startswith("PERDURE_")}
        popen = subprocess.Popen(
            [sys.executable, "-P", "-m", "perdure.host"], pass_fds=(theirs.fileno(), slot), start_new_session=True,
            env=clean | {"PERDURE_BOOT": json.dumps(boot), "PERDURE_FAULT": fault},
        )  # fmt: skip
        theirs.close()
        os.close(slot)
        host = HostInTest(name, incarnation, popen)
        self.hosts.append(host)
        host.channel = await open_channel_socket(ours, {}, host.events.append)
        host.serving = asyncio.get_running_loop().create_task(host.channel.serve())
        await until(lambda: "ready" in host.kinds() or not host.alive, f"{name} is ready")
        assert host.alive, f"{name} ended while it booted"
        return host

    async def end(self, host: HostInTest) -> None:
        """Stop a host in order; another one takes what it leaves."""
        await host.ask("stop")
        await host.died()

    def close(self) -> None:
        for host in self.hosts:
            if host.alive:
                os.kill(host.pid, signal.SIGKILL)
                host.popen.wait()
        self.gateway.close()
        self.owners.close()
        self.state.close()

    # -- rooms -----------------------------------------------------------------------------------------

    @property
    def next_session(self) -> str:
        """The session of the player who comes next."""
        return f"g.1.{self._players + 1}"

    async def player(self, room: str, *, slow: bool = False) -> Player:
        """Somebody new in the room; slow: nothing ever reaches their screen."""
        player = Player(self.gateway, self.next_session)
        self._players += 1
        if slow:
            self.gateway.slow.add(player.session)
        self.gateway.end.enter(player.session, room, Join(Who(player.session, f"P{self._players}")))
        await player.sees(f"P{self._players} joins")
        return player

    def owner(self, room: str) -> Owner:
        row = self.owners.read(room)
        assert row is not None
        return row

    async def runs(self, room: str) -> list[str]:
        """The names of the hosts that run the room."""
        return [
            host.name for host in self.hosts if host.alive and room in {each["id"] for each in await host.ask("rooms")}
        ]

    def home(self, room: str) -> HostInTest:
        """The host whose the room is by its owner row, dead or alive."""
        incarnation = self.owner(room).host
        return next(host for host in self.hosts if host.incarnation == incarnation)

    def other(self, room: str) -> HostInTest:
        """The first living host that has not got the room."""
        return next(host for host in self.hosts if host.alive and host is not self.home(room))

    async def prepare(self, *rooms: str, to: HostInTest) -> Any:
        """Open a movement of these rooms of one host, and let the other one make copies."""
        opened = await self.home(rooms[0]).ask("movement.open", id="m", rooms=rooms)
        source = {key: opened[key] for key in ("incarnation", "position", "gateways")}
        return await to.ask("movement.prepare", id="m", source=source, rooms=opened["rooms"])

    async def depart(self, *rooms: str, to: HostInTest) -> Moved:
        """Move rooms that were prepared."""
        outcome = await self.home(rooms[0]).ask(
            "movement.move", id="m", rooms=rooms, to=to.incarnation, all_or_nothing=False
        )
        return Moved(outcome)

    async def move(self, *rooms: str, to: HostInTest | None = None, reload: bool = False) -> Moved:
        """Move these rooms of one host to another one: the whole movement."""
        old, to = self.home(rooms[0]), to or self.other(rooms[0])
        prepared = await self.prepare(*rooms, to=to)
        assert (prepared["rooms"], prepared["hash_mismatches"], prepared["refused"]) == (len(rooms), 0, [])
        moved = await self.depart(*rooms, to=to)
        await self.finish(old, to, reload=reload)
        return moved

    async def finish(self, old: HostInTest, new: HostInTest, *, reload: bool = False) -> None:
        """End the movement on both sides."""
        await new.ask("movement.finish", id="m", reload=reload)
        await old.ask("movement.close", id="m")

    @contextmanager
    def nothing_commits(self) -> Iterator[None]:
        """Inside the block no owner row can be written."""
        lock = sqlite3.connect(self.state.owners_file, isolation_level=None)
        try:
            lock.execute("BEGIN IMMEDIATE")
            yield
            lock.execute("ROLLBACK")
        finally:
            lock.close()

    def journals(self) -> Counter[str]:
        """Incarnation -> files in the folder of its journal."""
        walked = os.walk(self.state.path / "journal")  # which passes over journals that are just deleted
        files = [Path(folder, name) for folder, _, names in walked for name in names]
        return Counter(file.parent.name for file in files if file.is_file())

    def gate(self, name: str) -> Path:
        """A file that a `fetch` waits for; `touch` it."""
        return self.folder / name

    def asked(self, gate: Path) -> int:
        """How often the function that waits there was called."""
        with suppress(FileNotFoundError):
            return len(Path(f"{gate}.asked").read_text().splitlines())
        return 0


@asynccontextmanager
async def pair_of_hosts(rooms: Mapping[str, str] = ROOMS) -> AsyncIterator[Pair]:
    """A host that serves all rooms, and one that has none."""
    with tempfile.TemporaryDirectory(prefix="pair-") as folder:
        pair = Pair(Path(folder), rooms)
        try:
            await pair.boot(serves=True)
            await pair.boot()
            yield pair
            assert pair.gateway.broken == []
        finally:
            pair.close()


async def raw_channel(pair: Pair, host: HostInTest) -> tuple[Channel, asyncio.Task[None]]:
    """A connection to a host's socket for neighbours, of somebody who has said nothing yet."""
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(pair.state.path / "journal" / host.incarnation / "peer.sock"))
    channel = await open_channel_socket(sock, {}, lambda _: None)

    async def serve() -> None:
        with suppress(ProtocolError):
            await channel.serve()

    return channel, asyncio.get_running_loop().create_task(serve())
