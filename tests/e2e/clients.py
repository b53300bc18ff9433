"""Players: clients on real sockets, that note with its time whatever they send and see."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import NamedTuple, Protocol

import telnetlib3

from tests.e2e.checker import SAID
from tests.e2e.server import DEADLINE_S, wait_until

PASSWORD = "open sesame"
IAC, SB, SE, NEGOTIATIONS = 255, 250, 240, frozenset((251, 252, 253, 254))


class Line(NamedTuple):
    """A line, and when it was sent or seen (monotonic)."""

    at_s: float
    text: str


class Strip:
    """Takes telnet's commands out of a stream, over any borders of its pieces."""

    def __init__(self) -> None:
        self._state = "text"

    def feed(self, data: bytes) -> bytes:
        """The text in it."""
        if self._state == "text" and IAC not in data:
            return data
        text = bytearray()
        for byte in data:
            match self._state, byte:
                case "text", _ if byte == IAC:
                    self._state = "iac"
                case "text", _:
                    text.append(byte)
                case "iac", _ if byte == SB:
                    self._state = "sub"
                case "iac", _ if byte in NEGOTIATIONS:
                    self._state = "option"
                case "iac", _ if byte == IAC:
                    text.append(byte)
                    self._state = "text"
                case "sub", _ if byte == IAC:
                    self._state = "sub-iac"
                case "sub-iac", _:
                    self._state = "text" if byte == SE else "sub"
                case "sub", _:
                    pass
                case _:  # the second byte of a command, the third of a negotiation
                    self._state = "text"
        return bytes(text)


class Client:
    """What every kind of client notes.

    Attributes:
        name: Its player's.
        sent, seen: All lines, in order.
        heard: The (speaker, text) of all speech among them.
        closed_s: When the other side ended the connection; None while it is open.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.sent: list[Line] = []
        self.seen: list[Line] = []
        self.heard: list[tuple[str, str]] = []
        self.closed_s: float | None = None
        self.left = False
        self._rest = ""

    def send(self, line: str) -> None:
        """Send a line."""
        self.sent.append(Line(time.monotonic(), line))
        self._write(line)

    def _write(self, line: str) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def _saw(self, text: str) -> None:
        *lines, self._rest = (self._rest + text).split("\n")
        now_s = time.monotonic()
        for line in lines:
            line = line.rstrip("\r")
            self.seen.append(Line(now_s, line))
            if match := SAID.fullmatch(line):
                self.heard.append((match[1] or self.name, match[2]))

    def _ended(self) -> None:
        if not self.left:
            self.closed_s = time.monotonic()

    @property
    def text(self) -> str:
        """Everything seen, and what waits at the cursor."""
        return "\n".join([*(line.text for line in list(self.seen)), self._rest])

    def wait_for(self, text: str, since: int = 0) -> int:
        """Wait until a line from number `since` on, or the prompt, has `text`; the number of the line after it."""

        def found() -> int | None:
            seen = list(self.seen)
            for number in range(since, len(seen)):
                if text in seen[number].text:
                    return number + 1
            return len(seen) if text in self._rest else None

        try:
            return wait_until(lambda: found() or None, f"{text!r} at {self.name}")
        except AssertionError as error:
            raise AssertionError(f"{error}; seen last: {[line.text for line in self.seen[-8:]]}") from None

    def command(self, line: str, answer: str) -> None:
        """Send a line and wait for its answer."""
        since = len(self.seen)
        self.send(line)
        self.wait_for(answer, since)

    def wait_closed(self) -> None:
        """Wait until the other side ends the connection."""
        wait_until(lambda: self.closed_s, f"the end of {self.name}'s connection")

    def log_in(self, verb: str = "create") -> None:
        """`create` or `connect` the player's character."""
        self.send(f"{verb} {self.name} {PASSWORD}")


class LineClient(Client):
    """A plain socket that answers no negotiation, as the simplest of clients do."""

    def __init__(self, name: str, address: tuple[str, int]) -> None:
        super().__init__(name)
        self._socket = socket.create_connection(address, timeout=DEADLINE_S)
        self._socket.settimeout(None)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = threading.Thread(target=self._read, daemon=True, name=f"client-{name}")
        self._reader.start()

    def _read(self) -> None:
        strip = Strip()
        with suppress(OSError):
            while data := self._socket.recv(1 << 16):
                self._saw(strip.feed(data).decode("utf-8", "replace"))
        self._ended()

    def _write(self, line: str) -> None:
        with suppress(OSError):  # the end of the connection is noted by the reader
            self._socket.sendall(line.encode() + b"\r\n")

    def close(self) -> None:
        """Drop the connection, without a word."""
        self.left = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join(DEADLINE_S)
        self._socket.close()


class TelnetClient(Client):
    """A client that negotiates: telnetlib3's, on a loop of its own."""

    def __init__(self, name: str, address: tuple[str, int]) -> None:
        super().__init__(name)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name=f"telnet-{name}")
        self._thread.start()
        opened = asyncio.run_coroutine_threadsafe(
            telnetlib3.open_connection(*address, connect_minwait=0.0, connect_maxwait=1.0, term="xterm", cols=100),
            self._loop,
        )
        self._telnet_reader, self._telnet_writer = opened.result(DEADLINE_S)
        self._reading = asyncio.run_coroutine_threadsafe(self._read(), self._loop)

    async def _read(self) -> None:
        while text := await self._telnet_reader.read(1 << 16):
            assert isinstance(text, str)
            self._saw(text)
        self._ended()

    def _write(self, line: str) -> None:
        self._loop.call_soon_threadsafe(lambda: self._telnet_writer.write(f"{line}\r\n"))  # type: ignore[arg-type]

    def close(self) -> None:
        """Drop the connection, without a word."""
        self.left = True
        self._loop.call_soon_threadsafe(self._telnet_writer.close)
        with suppress(TimeoutError):
            self._reading.result(DEADLINE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE_S)
        self._loop.close()


class Kind(Protocol):
    def __call__(self, name: str, address: tuple[str, int]) -> Client: ...


NAMES = ("Ada", "Bob", "Cleo", "Dora", "Emil", "Fay", "Gus", "Hana", "Ivo", "Jule")


@contextmanager
def players(
    address: tuple[str, int], count: int = 3, welcome: str = "Welcome to Underbridge!", kind: Kind = LineClient
) -> Iterator[list[Client]]:
    """So many players, all of them in the game."""
    with ExitStack() as opened:
        clients: list[Client] = []
        for name in NAMES[:count]:
            clients.append(kind(name, address))
            opened.callback(clients[-1].close)
            clients[-1].log_in()
        for client in clients:
            client.wait_for(welcome)
        yield clients


def mark(client: Client) -> None:
    """Do something in the mud that a new character has not done."""
    client.command("go north", "The Leaking Ladle")
    client.command("drop apple", "You drop the apple.")


def find_mark(client: Client) -> None:
    """The character who comes in is as it was marked."""
    client.wait_for("The Leaking Ladle")
    client.command("inventory", "You carry nothing.")
    client.command("look", "On the ground: an apple.")


def wait_heard(clients: Sequence[Client], count: int, condition: Callable[[], bool] = lambda: True) -> None:
    """Wait until every client heard `count` lines of speech, its own included, or nobody hears anything any more.

    No failure if not: see the checker.
    """
    before = -1
    while (heard := sum(len(client.heard) for client in clients)) > before:
        before = heard
        with suppress(AssertionError):
            wait_until(lambda: condition() and all(len(client.heard) >= count for client in clients), "all speech")
            return
