"""The door: counting addresses, connections through proxies, and what it does when accepting itself fails."""

import asyncio
import contextlib
import errno
import selectors
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
import structlog

from perdure import config
from perdure.gateway import door
from perdure.gateway.door import Door, Kind, counted_address
from perdure.gateway.limits import Limits

DEADLINE_S = 60.0
KINDS: tuple[Kind, Kind] = ("telnet", "web")


@pytest.mark.parametrize(
    ("peer", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::1/64"),
    ],
)
def test_an_ipv6_user_is_a_whole_network(peer: str, counted: str) -> None:
    """Each of them has 2**64 addresses to connect from (FM-82)."""
    assert counted_address(peer) == counted


class Exhausted(socket.socket):
    """A listener that has no descriptor left for the first connection."""

    tries = 0

    def accept(self) -> Any:
        self.tries += 1
        if self.tries == 1:
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


def test_a_process_without_descriptors_rests_and_accepts_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection waits in the listener, and the loop does not spin on it (FM-8)."""
    monkeypatch.setattr(door, "RETRY_S", 0.01)

    async def run() -> tuple[str, int]:
        loop = asyncio.get_running_loop()
        admitted: asyncio.Future[str] = loop.create_future()

        def admit(sock: socket.socket, address: str, kind: Kind, trusted: bool) -> None:
            assert (kind, trusted) == ("telnet", False)
            sock.close()
            admitted.set_result(address)

        listener = Exhausted()
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        it = Door(loop, [("telnet", listener)], Limits(), admit)
        it.open()
        with contextlib.closing(socket.create_connection(listener.getsockname())):
            address = await asyncio.wait_for(admitted, 20)
        it.close()
        return address, listener.tries

    address, tries = asyncio.run(run())
    assert address == "127.0.0.1"
    assert tries <= 3


# --- connections through a proxy, over real sockets ---


class Entrance:
    """A door on 127.0.0.1 in a running loop; keeps what it admits."""

    def __init__(self, limits: Limits) -> None:
        self.loop = asyncio.get_running_loop()
        self.admitted: list[tuple[socket.socket, str, Kind, bool]] = []
        self.came = asyncio.Event()
        self.guests: list[Guest] = []
        listeners: dict[Kind, socket.socket] = {kind: socket.create_server(("127.0.0.1", 0)) for kind in KINDS}
        self.ports: dict[Kind, int] = {kind: listener.getsockname()[1] for kind, listener in listeners.items()}
        self.door = Door(self.loop, list(listeners.items()), limits, self._admit)
        self.door.open()

    def _admit(self, sock: socket.socket, address: str, kind: Kind, trusted: bool) -> None:
        sock.setblocking(False)
        self.admitted.append((sock, address, kind, trusted))
        self.came.set()

    async def connect(self, kind: Kind = "telnet") -> "Guest":
        port = self.ports[kind]
        guest = Guest(*await asyncio.open_connection("127.0.0.1", port))
        self.guests.append(guest)
        return guest

    async def admits(self, count: int = 1) -> list[tuple[str, Kind, bool]]:
        """Wait until so many were let in."""
        async with asyncio.timeout(DEADLINE_S):
            while len(self.admitted) < count:
                self.came.clear()
                await self.came.wait()
        return [(address, kind, trusted) for _, address, kind, trusted in self.admitted]

    async def hears(self) -> bytes:
        """What the one who was let in last sends first."""
        async with asyncio.timeout(DEADLINE_S):
            return await self.loop.sock_recv(self.admitted[-1][0], 1 << 16)


class Guest(NamedTuple):
    """Who knocks."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def says(self, data: bytes) -> None:
        self.writer.write(data)

    async def is_told(self) -> str:
        """All that the server says until it closes."""
        async with asyncio.timeout(DEADLINE_S):
            return (await self.reader.read()).decode()


@contextlib.asynccontextmanager
async def entrance(**limits: Any) -> AsyncIterator[Entrance]:
    it = Entrance(Limits(**limits))
    try:
        yield it
    finally:
        it.door.close()
        for sock, *_ in it.admitted:
            sock.close()
        for guest in it.guests:
            guest.writer.close()
            with contextlib.suppress(OSError):
                await guest.writer.wait_closed()


V2 = b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + bytes([192, 0, 2, 7, 192, 0, 2, 1, 1, 1, 2, 2])


@pytest.mark.parametrize("header", [b"PROXY TCP4 192.0.2.7 192.0.2.1 257 514\r\n", V2])
def test_a_proxys_header_is_taken_off_and_says_who_comes(header: bytes) -> None:
    """However it is cut; the one who serves the connection finds the client's bytes, and all of them."""

    async def run() -> None:
        async with entrance(proxies=("127.0.0.1",)) as it:
            for cut in (0, 1, 6, 15, 20, len(header) - 1):
                guest = await it.connect()
                guest.says(header[:cut])
                await asyncio.sleep(0)
                guest.says(header[cut:] + b"\xff\xfb\x18look\r\n")
                assert (await it.admits(len(it.admitted) + 1))[-1] == ("192.0.2.7", "telnet", False)
                assert await it.hears() == b"\xff\xfb\x18look\r\n"

    asyncio.run(run())


class Counting(selectors.DefaultSelector):
    """Counts how often something was ready."""

    rounds = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(timeout)
        self.rounds += bool(ready)
        return ready


def test_half_a_header_is_waited_for_without_spinning() -> None:
    """What came of it is taken off the socket, which so is not readable again until more comes (FM-81)."""
    selector = Counting()

    async def run() -> None:
        async with entrance(proxies=("127.0.0.1",)) as it:
            guest = await it.connect()
            guest.says(V2[:17])
            before = selector.rounds
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(it.came.wait(), 0.1)
            assert selector.rounds - before < 10
            guest.says(V2[17:] + b"x")
            await it.admits()
            assert await it.hears() == b"x"

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        runner.run(run())


@pytest.mark.parametrize("said", [b"connect Ada secret\r\n", b"PROXY TCP4 nobody nobody 1 1\r\n", b""])
def test_a_proxys_connection_without_a_header_is_closed(said: bytes) -> None:
    """At once when something else comes, and else after a deadline: nobody holds a connection so (FM-81)."""

    async def run() -> None:
        async with entrance(proxies=("127.0.0.1",), proxy_s=0.05 if not said else 60.0) as it:
            guest = await it.connect()
            guest.says(said)
            assert "PROXY header" in await guest.is_told()
            assert it.admitted == []

    asyncio.run(run())


def test_a_proxy_that_only_looks_whether_somebody_listens_is_no_warning() -> None:
    """It connects and closes; a LOCAL header, or an UNKNOWN one, is the proxy itself."""

    async def run() -> None:
        with structlog.testing.capture_logs() as logs:
            async with entrance(proxies=("127.0.0.1",)) as it:
                guest = await it.connect()
                guest.writer.close()
                for header in (b"PROXY UNKNOWN\r\n", b"\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"):
                    guest = await it.connect()
                    guest.says(header)
                    assert (await it.admits(len(it.admitted) + 1))[-1] == ("127.0.0.1", "telnet", True)
        assert logs == []

    asyncio.run(run())


def test_who_is_not_trusted_speaks_for_nobody() -> None:
    """Their header is their first line, and they count under the address from which they came."""

    async def run() -> None:
        async with entrance(proxies=("127.0.0.2",)) as it:
            guest = await it.connect()
            guest.says(V2)
            assert await it.admits() == [("127.0.0.1", "telnet", False)]
            assert await it.hears() == V2

    asyncio.run(run())


def test_connections_through_a_proxy_count_under_their_own_addresses() -> None:
    """The proxy itself is not limited, each of its clients is (FM-82)."""

    async def run() -> None:
        async with entrance(proxies=("127.0.0.1",), per_address_max=2, loopback=True) as it:
            for last in (7, 7, 8, 8):
                guest = await it.connect()
                guest.says(f"PROXY TCP4 192.0.2.{last} 192.0.2.1 1 1\r\n".encode())
                await it.admits(len(it.admitted) + 1)
            guest = await it.connect()
            guest.says(b"PROXY TCP4 192.0.2.7 192.0.2.1 1 1\r\n")
            assert await guest.is_told() == (
                "There are 2 connections from your address already. Close one of them first.\r\n"
            )
            it.door.left("192.0.2.7")
            guest = await it.connect()
            guest.says(b"PROXY TCP4 192.0.2.7 192.0.2.1 1 1\r\n")
            assert (await it.admits(5))[-1] == ("192.0.2.7", "telnet", False)

    asyncio.run(run())


def test_a_web_page_behind_a_proxy_counts_under_the_address_that_it_names() -> None:
    """Its request says so, when it was let in already; one that names nobody is the proxy's own (FM-82)."""

    async def run() -> None:
        async with entrance(proxies=("127.0.0.1",), per_address_max=1, loopback=True) as it:
            for _ in range(6):
                await it.connect("web")
            assert await it.admits(6) == [("127.0.0.1", "web", True)] * 6

            def plays(forwarded: str) -> tuple[str, str]:
                return it.door.plays("127.0.0.1", forwarded, trusted=True)

            assert plays("2001:db8::7") == ("2001:db8::/64", "")
            assert plays("192.0.2.7") == ("192.0.2.7", "")
            address, reason = plays("2001:db8::8")
            assert "There is 1 connection from your address already. Close that one first." in reason
            it.door.left("2001:db8::/64")
            it.door.left(address)
            assert plays("2001:db8::8") == ("2001:db8::/64", "")
            assert [plays(""), plays("")] == [("127.0.0.1", "")] * 2

    asyncio.run(run())


def test_a_proxy_that_hides_its_players_is_warned_of_once() -> None:
    """All of them share its limits, or have none; a stranger who only sends the header is no proxy of ours (FM-82)."""

    async def warned(plays: list[tuple[str, str, bool, bool]]) -> list[tuple[str, str]]:
        it = door.Door(asyncio.get_running_loop(), [], Limits(), lambda *_: None)
        with structlog.testing.capture_logs() as logs:
            for address, forwarded, trusted, passed_on in plays * 2:
                it.plays(address, forwarded, trusted=trusted, passed_on=passed_on)
        return [(each["proxy"], each["reason"]) for each in logs]

    fine = [("127.0.0.1", "192.0.2.7", True, True), ("127.0.0.1", "", False, False), ("192.88.99.1", "", False, True)]
    assert asyncio.run(warned(fine)) == []
    assert asyncio.run(warned([("127.0.0.1", "", True, False)])) == [("127.0.0.1", door.NAMES_NOBODY)]
    for address in ("127.0.0.1", "::1/64", "10.0.0.5", "fd00::/64"):
        assert asyncio.run(warned([*fine, (address, "", False, True)])) == [(address, door.NOT_TRUSTED)]


def test_what_asks_for_files_is_no_connection_of_a_player() -> None:
    """A page of twenty files takes nobody's place; it counts once somebody plays, and what asks has a bound (FM-82)."""

    async def run() -> None:
        async with entrance(per_address_max=2, loopback=True) as it:
            for _ in range(door.ASKING_MAX):
                await it.connect("web")
            await it.admits(door.ASKING_MAX)
            assert "Load the page again." in await (await it.connect("web")).is_told()
            assert [it.door.plays("127.0.0.1", "", trusted=False)[1] for _ in range(2)] == ["", ""]
            assert "2 connections" in it.door.plays("127.0.0.1", "", trusted=False)[1]
            assert "2 connections" in await (await it.connect("telnet")).is_told()
            it.door.left("127.0.0.1")
            it.door.left("127.0.0.1")
            await it.connect("telnet")
            assert (await it.admits(door.ASKING_MAX + 1))[-1][1] == "telnet"
            it.door.left("127.0.0.1", asked=True)
            await it.connect("web")
            assert (await it.admits(door.ASKING_MAX + 2))[-1][1] == "web"

    asyncio.run(run())


def test_who_is_turned_away_is_told_why_in_their_own_protocol() -> None:
    """A browser shows the sentence, too (FM-82)."""
    reason = "The server is full."

    async def run() -> None:
        async with entrance(clients_max=1) as it:
            await it.connect()
            await it.admits()
            assert (await (await it.connect("telnet")).is_told()).startswith(reason)
            answer = await (await it.connect("web")).is_told()
            head, _, body = answer.partition("\r\n\r\n")
            assert head.startswith("HTTP/1.1 503 ")
            assert f"Content-Length: {len(body)}" in head
            assert body.startswith(reason)
            assert len(it.admitted) == 1

    asyncio.run(run())


def test_this_machines_own_addresses_are_limited_only_if_that_is_asked_for() -> None:
    """From there come proxies, bots and tests; the limits are those of perdure.toml."""
    silent = config.Config(project=Path(), server=config.Server(), games={}, rooms={}, login=config.Login())
    assert Limits.of(silent) == Limits()
    said_so = msgspec.structs.replace(
        silent,
        server=config.Server(proxies=["10.0.0.0/8"]),
        limits=config.Limits(connections=3, logins=4, characters=5, lines_per_s=5.0, lines_burst=6, loopback=True),
    )
    said = Limits.of(said_so, 99)
    assert (said.clients_max, said.per_address_max, said.logins_free, said.characters_free) == (99, 3, 4, 5)
    assert (said.lines_per_s, said.lines_burst, said.proxies) == (5.0, 6, ("10.0.0.0/8",))
    for address in ("127.0.0.1", "127.8.8.8", "::1/64"):
        assert said.limited(address)
        assert not Limits().limited(address)
    assert Limits().limited("192.0.2.7")
