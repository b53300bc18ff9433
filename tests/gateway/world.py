"""A gateway to test over real sockets: it runs in a thread, players and hosts are the test's own sockets.

Every wait is on a condition, with a deadline far beyond what is needed.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import select
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import uvloop

from perdure import names
from perdure.config import Config, Login, Server
from perdure.errors import ContractError
from perdure.faults import no_fault
from perdure.gateway.control import methods
from perdure.gateway.desk import Hasher
from perdure.gateway.gateway import Gateway
from perdure.gateway.limits import Limits
from perdure.link.messages import (
    VERSION,
    VERSION_LOWEST,
    Ack,
    EventSent,
    FrameReader,
    GatewayHello,
    HostHello,
    Message,
    Out,
    RoomUp,
    encode_frame,
)
from perdure.ports import AccountRow, Accounts, FaultPoint
from perdure.room.record import Output, Text

PATIENCE_S = 20.0
_telnet_bytes = re.compile(rb"\xff[\xfb-\xfe].|\xff\xfa.*?\xff\xf0|\xff[\xef-\xf9]", re.DOTALL)
M = TypeVar("M", bound=Message)


class MemoryAccounts:
    """Accounts in a dict. May be told to wait: `gate` is passed before each call."""

    def __init__(self) -> None:
        self.rows: dict[str, AccountRow] = {}
        self.hashes: dict[str, str] = {}
        self.gate = threading.Event()
        self.gate.set()

    def find(self, name: str) -> AccountRow | None:
        assert self.gate.wait(PATIENCE_S)
        return self.rows.get(names.folded(name))

    def alike(self, name: str) -> AccountRow | None:
        shape = names.skeleton(name)
        return next((row for row in self.rows.values() if names.skeleton(row.name) == shape), None)

    def password_hash(self, id: str) -> str:
        return self.hashes[id]

    def create(self, name: str, password_hash: str, role: str) -> AccountRow:
        if self.alike(name) is not None:
            raise ContractError(f"The name {name} is taken.")
        row = AccountRow(f"a{len(self.rows) + 1}", name, role, False)
        self.rows[names.folded(name)], self.hashes[row.id] = row, password_hash
        return row

    def set_role(self, name: str, role: str) -> AccountRow:
        return self._changed(name, role=role)

    def set_disabled(self, name: str, disabled: bool) -> AccountRow:
        return self._changed(name, disabled=disabled)

    def set_password_hash(self, name: str, password_hash: str) -> AccountRow:
        row = self.rows[names.folded(name)]
        self.hashes[row.id] = password_hash
        return row

    def set_settings(self, id: str, settings: str) -> None:
        self._changed(next(row.name for row in self.rows.values() if row.id == id), settings=settings)

    def all(self) -> list[AccountRow]:
        return list(self.rows.values())

    def _changed(self, name: str, **fields: Any) -> AccountRow:
        row = msgspec.structs.replace(self.rows[names.folded(name)], **fields)
        self.rows[names.folded(name)] = row
        return row


def quick_hash(password: str) -> str:
    """A hash that costs no time."""
    return hashlib.sha256(password.encode()).hexdigest()


QUICK = Hasher(quick_hash, lambda hash, password: hash == quick_hash(password))


class Player:
    """A telnet client: types lines, sees text; `raw` is every byte that came."""

    def __init__(self, address: tuple[str, int], *, receive_bytes: int = 0) -> None:
        self.sock = socket.socket()
        if receive_bytes:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        try:
            self.sock.connect(address)
        except OSError:
            self.sock.close()
            raise
        self.sock.settimeout(PATIENCE_S)
        self.raw = b""
        self._seen = 0

    @property
    def text(self) -> str:
        """All text that came so far, telnet's own bytes aside."""
        return _telnet_bytes.sub(b"", self.raw).decode()

    def types(self, *lines: str) -> None:
        """Type lines, all in one packet."""
        self.sends("".join(f"{line}\r\n" for line in lines).encode())

    def sends(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.sock.sendall(data)

    def sees(self, text: str) -> str:
        """Wait for `text` after what was seen before; what came up to and with it."""
        while (at := self.text.find(text, self._seen)) < 0:
            data = self.sock.recv(65536)
            assert data, f"closed while waiting for {text!r}; saw {self.text[self._seen :]!r}"
            self.raw += data
        seen = self.text[self._seen : at + len(text)]
        self._seen = at + len(text)
        return seen

    def sees_bytes(self, data: bytes) -> None:
        """Wait for exactly these bytes, anywhere in what came."""
        while data not in self.raw:
            more = self.sock.recv(65536)
            assert more, f"closed while waiting for {data!r}"
            self.raw += more

    def is_closed(self) -> str:
        """Wait for an orderly end of the connection, and end it here; everything that came and was not yet seen."""
        while data := self.sock.recv(65536):
            self.raw += data
        self.sock.close()
        return self.text[self._seen :]

    def drops(self) -> None:
        """Vanish."""
        self.sock.close()


class Host:
    """The other end of the link: speaks real frames, as a test scripts it."""

    def __init__(self, path: Path, name: str = "host-1", build: str = "") -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(path))
        self.sock.settimeout(PATIENCE_S)
        self.frames = FrameReader()
        self.heard: list[Message] = []
        self._at = 0
        self.epoch = 1
        self.says(HostHello(VERSION_LOWEST, VERSION, name, build))
        self.expect(GatewayHello)

    def says(self, *messages: Message) -> None:
        """Send messages as one frame."""
        self.sock.sendall(encode_frame(list(messages)))

    def up(self, room: str = "world", epoch: int = 1, seats: dict[str, tuple[int, int]] | None = None) -> None:
        """Announce that the room runs here."""
        self.epoch = epoch
        self.says(RoomUp(room, epoch, 0, seats or {}))

    def expect(self, kind: type[M], **fields: Any) -> M:
        """Wait for the next message of this kind, with these fields; those before it are passed over."""
        while True:
            while self._at < len(self.heard):
                message = self.heard[self._at]
                self._at += 1
                if isinstance(message, kind) and all(getattr(message, k) == v for k, v in fields.items()):
                    return message
            self._hear()

    def hears_nothing_more(self) -> list[Message]:
        """What is there unread already, without waiting."""
        while select.select([self.sock], [], [], 0)[0]:
            self._hear()
        rest, self._at = self.heard[self._at :], len(self.heard)
        return rest

    def joined(self) -> EventSent:
        """Wait for a join, and acknowledge it."""
        event = self.expect(EventSent, n=0)
        self.acks(event)
        return event

    def acks(self, event: EventSent) -> None:
        """The event is applied and durable."""
        self.says(Ack(event.room, self.epoch, event.session, event.j, event.n))

    def tells(self, event: EventSent, m: int, output: Output | str) -> None:
        """Output m to the seat of `event`."""
        body = Text(output) if isinstance(output, str) else output
        self.says(Out(event.room, self.epoch, [(event.session, event.j, m)], body))

    def is_closed(self) -> bool:
        """Wait for the gateway to close the link."""
        try:
            while self.sock.recv(65536):
                pass
        except ConnectionResetError:
            pass
        return True

    def _hear(self) -> None:
        data = self.sock.recv(65536)
        assert data, f"the gateway closed the link; heard {self.heard[-5:]}"
        self.heard += self.frames.feed(data)


class World:
    """A running gateway with its accounts, and the means to reach it."""

    def __init__(
        self,
        folder: Path,
        link_dead_s: float,
        limits: Limits,
        accounts: Accounts | None,
        hasher: Hasher,
        fault: FaultPoint,
        banner: str,
    ) -> None:
        self.accounts = MemoryAccounts()
        self.events: list[dict[str, Any]] = []
        self.link_path = folder / "link.sock"
        config = Config(
            project=folder,
            server=Server(name="Test", banner=banner),
            games={},
            rooms={"world": "game"},
            login=Login(room="world", link_dead_s=link_dead_s),
        )
        telnet, web = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))
        link = socket.socket(socket.AF_UNIX)
        link.bind(str(self.link_path))
        link.listen()
        self.address: tuple[str, int] = telnet.getsockname()
        self.web_address: tuple[str, int] = web.getsockname()
        self.loop = uvloop.new_event_loop()
        self.gateway = Gateway(
            config,
            accounts or self.accounts,
            hasher,
            loop=self.loop,
            listeners=[telnet],
            web=[web],
            link=link,
            epoch=7,
            emit=self.events.append,
            fault=fault,
            limits=limits,
        )
        self.errors: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _loop, context: self.errors.append(context))
        self._thread = threading.Thread(target=self._run)
        self._open: list[Player | Host] = []

    def start(self) -> None:
        self._thread.start()

    def finish(self) -> None:
        """Stop the gateway; a callback that raised fails the test."""
        self.accounts.gate.set()
        self.loop.call_soon_threadsafe(self.gateway.abort)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        self.loop.close()
        for end in self._open:
            end.sock.close()
        assert self.errors == []

    def player(self, **options: Any) -> Player:
        """A client that has seen the greeting."""
        player = self.stranger(**options)
        player.sees("Name: ")
        return player

    def stranger(self, **options: Any) -> Player:
        """A client that has seen nothing yet."""
        player = Player(self.address, **options)
        self._open.append(player)
        return player

    def host(self, **up: Any) -> Host:
        """A host that runs the room `world`."""
        host = self.idle_host()
        host.up(**up)
        return host

    def idle_host(self, name: str = "host-1", build: str = "") -> Host:
        """A host that runs no room yet."""
        host = Host(self.link_path, name, build)
        self._open.append(host)
        return host

    def account(self, name: str = "Ada", password: str = "secret1") -> AccountRow:
        """An account that exists."""
        return self.accounts.create(name, quick_hash(password), "player")

    def enters(self, host: Host, name: str = "Ada", password: str = "secret1") -> tuple[Player, EventSent]:
        """A player of this account, in the room; the account is made if need be."""
        if self.accounts.rows.get(names.folded(name)) is None:
            self.account(name, password)
        player = self.player()
        player.types(f"connect {name} {password}")
        return player, host.joined()

    def asks(self, method: str, **params: Any) -> Any:
        """A control method's result."""
        return self.later(method, **params).result(PATIENCE_S)

    def later(self, method: str, **params: Any) -> Future[Any]:
        """A control method's result, when it comes."""
        call = methods(self.gateway)[method](params)
        return asyncio.run_coroutine_threadsafe(_awaited(call), self.loop)

    def wait_until(self, condition: Any, what: str) -> None:
        """Poll `condition` on this thread."""
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end, f"waited in vain until {what}"
            threading.Event().wait(0.005)

    def stages(self) -> list[str]:
        """Of all sessions, oldest first."""
        return [session["stage"] for session in self.asks("sessions")]

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.call_soon(self.gateway.start)
        self.loop.run_forever()


async def _awaited(call: Any) -> Any:
    return await call


@contextmanager
def running(
    folder: Path,
    *,
    link_dead_s: float = 60.0,
    limits: Limits | None = None,
    accounts: Accounts | None = None,
    hasher: Hasher = QUICK,
    fault: FaultPoint = no_fault,
    banner: str = "",
) -> Iterator[World]:
    """A world for one test; with its own accounts in memory unless others are given."""
    world = World(folder, link_dead_s, limits or Limits(), accounts, hasher, fault, banner)
    world.start()
    try:
        yield world
    finally:
        world.finish()
