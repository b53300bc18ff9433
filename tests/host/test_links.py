"""The host's socket to the gateway: it comes back whatever the other side does, and carries whole turns."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
import uvloop

from perdure.errors import PeerError
from perdure.host.links import GatewayLink
from perdure.link.messages import (
    VERSION,
    VERSION_LOWEST,
    Ack,
    FrameReader,
    GatewayHello,
    HostHello,
    Message,
    OutAck,
    encode_frame,
)

HELLO = GatewayHello(1, 1, "g", 1)
DEADLINE_S = 60.0


class Peer:
    """A gateway's listening socket that keeps what hosts say.

    Attributes:
        connections: One list of messages for each connection so far.
        frames: How many frames came in all.
        ended: How many of the connections are over.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connections: list[list[Message]] = []
        self.frames = self.ended = 0
        self.writer: asyncio.StreamWriter | None = None
        self.reading = asyncio.Event()
        self.reading.set()
        self._server: asyncio.Server | None = None

    async def listen(self) -> None:
        self._server = await asyncio.start_unix_server(self._connected, self.path)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        messages: list[Message] = []
        self.connections.append(messages)
        self.writer = writer
        frames = FrameReader()
        while True:
            await self.reading.wait()
            data = await reader.read(1 << 16)
            if not data:
                self.ended += 1
                break
            found = frames.feed(data)
            self.frames += bool(found)
            messages += found
        writer.close()

    def say(self, data: bytes) -> None:
        assert self.writer is not None
        self.writer.write(data)

    def hang_up(self) -> None:
        assert self.writer is not None
        self.writer.close()

    def close(self) -> None:
        if self._server is not None:
            self._server.close()


class Side:
    """A host's link, and what it heard.

    Attributes:
        received: Messages, in order.
        losses: How often it was told that its connection is gone.
        refuse: Whether the host takes every message for one that no gateway may send.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, path: Path) -> None:
        self.loop, self.peer = loop, Peer(path)
        self.received: list[Message] = []
        self.losses = 0
        self.refuse = False
        self.link = GatewayLink(str(path), "host-1", loop, self._received, self._lost)

    def run(self, condition: Callable[[], object]) -> None:
        """Run the loop until `condition` holds."""

        async def until() -> None:
            deadline_s = time.monotonic() + DEADLINE_S
            while not condition():
                assert time.monotonic() < deadline_s, "it did not happen"
                await asyncio.sleep(0.002)

        self.loop.run_until_complete(until())

    def connected(self, count: int = 1) -> None:
        """Run until the host has said hello on its `count`-th connection."""
        self.run(lambda: len(self.peer.connections) == count and self.peer.connections[-1])

    def say(self, messages: Iterable[Message]) -> None:
        """Send all of them in one turn of the loop."""

        def said() -> None:
            for message in messages:
                self.link.send(message)

        self.loop.call_soon(said)

    def _received(self, link: GatewayLink, message: Message) -> None:
        assert link is self.link
        if self.refuse:
            raise PeerError("not so")
        self.received.append(message)

    def _lost(self, link: GatewayLink) -> None:
        assert link is self.link
        self.losses += 1


@pytest.fixture
def side(tmp_path: Path) -> Iterator[Side]:
    loop = uvloop.new_event_loop()
    errors: list[dict[str, object]] = []
    loop.set_exception_handler(lambda _, context: errors.append(context))
    side = Side(loop, tmp_path / "link.sock")
    yield side
    side.link.close()
    side.run(lambda: side.peer.ended == len(side.peer.connections))
    side.peer.close()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    assert errors == []


def ack(n: int) -> Ack:
    return Ack("hall", 1, "g.1.1", 1, n)


def begin(side: Side) -> None:
    side.loop.run_until_complete(side.peer.listen())
    side.link.connect()
    side.connected()


def test_it_connects_as_soon_as_the_gateway_listens(side: Side) -> None:
    """(FM-32) A host may be there first: it says hello when somebody hears it."""
    side.link.connect()
    side.loop.run_until_complete(asyncio.sleep(0))
    side.loop.run_until_complete(side.peer.listen())
    side.connected()
    assert side.peer.connections == [[HostHello(VERSION_LOWEST, VERSION, "host-1")]]


def test_all_messages_of_a_turn_travel_in_one_frame(side: Side) -> None:
    """In order, whatever their number."""
    begin(side)
    frames = side.peer.frames
    side.say(ack(n) for n in range(100))
    side.run(lambda: len(side.peer.connections[0]) == 101)
    assert side.peer.connections[0][1:] == [ack(n) for n in range(100)]
    assert side.peer.frames == frames + 1


def test_what_does_not_fit_into_the_socket_follows(side: Side) -> None:
    """(FM-34) A gateway that reads slowly loses nothing, and holds the host's loop up in nothing."""
    begin(side)
    side.peer.reading.clear()
    count = 200_000
    side.say(ack(n) for n in range(count))
    side.run(lambda: side.link._unsent)
    side.loop.call_soon(lambda: side.link.send(ack(-1)))
    side.loop.run_until_complete(asyncio.sleep(0))
    side.peer.reading.set()
    side.run(lambda: len(side.peer.connections[0]) == count + 2)
    assert side.peer.connections[0][-2:] == [ack(count - 1), ack(-1)]


def test_messages_arrive_however_they_are_cut(side: Side) -> None:
    """(FM-4) Frames have nothing to do with what a read returns."""
    begin(side)
    data = encode_frame([HELLO, OutAck("hall", "g.1.1", 1, 7)])
    side.peer.say(data[:5])
    side.run(lambda: side.link._reader._buffer)
    side.peer.say(data[5:] + data)
    side.run(lambda: len(side.received) == 4)
    assert side.received[:2] == side.received[2:] == [HELLO, OutAck("hall", "g.1.1", 1, 7)]


def test_a_gateway_that_goes_is_connected_to_again(side: Side) -> None:
    """(FM-92) The host says hello anew on the new connection, and hears of its loss once."""
    begin(side)
    for count in range(2, 5):
        side.peer.hang_up()
        side.connected(count)
        assert side.losses == count - 1
        assert side.peer.connections[-1] == [HostHello(VERSION_LOWEST, VERSION, "host-1")]


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff", b"\0\0\0\1\xc1", b"\0\0\0\2\x91\x01"])
def test_a_broken_frame_closes_the_link_and_it_is_made_again(side: Side, data: bytes) -> None:
    """One that is too long, one that is no msgpack, one without a message: nothing behind it is believed."""
    begin(side)
    side.peer.say(data + encode_frame([HELLO]))
    side.connected(2)
    assert side.losses == 1
    side.peer.say(encode_frame([HELLO]))
    side.run(lambda: side.received == [HELLO])


def test_a_message_that_the_host_refuses_closes_the_link_and_not_the_host(side: Side) -> None:
    """(FM-97) A gateway of another version, or one that says what only hosts say."""
    begin(side)
    side.refuse = True
    side.peer.say(encode_frame([HELLO, HELLO]))
    side.connected(2)
    assert side.losses == 1
    side.refuse = False
    side.peer.say(encode_frame([HELLO]))
    side.run(lambda: side.received == [HELLO])


def test_what_is_said_to_nobody_is_not_said_later(side: Side) -> None:
    """Everything is announced anew after a hello; an old message in front of it would be a lie."""
    begin(side)

    def lost_and_said() -> None:
        side.link.send(ack(1))
        side.link._broken()
        side.link.send(ack(2))

    side.loop.call_soon(lost_and_said)
    side.connected(2)
    side.loop.call_soon(lambda: side.link.send(ack(3)))
    side.run(lambda: len(side.peer.connections[1]) == 2)
    assert side.peer.connections[1] == [HostHello(VERSION_LOWEST, VERSION, "host-1"), ack(3)]


def test_close_is_for_good_and_says_what_was_left(side: Side) -> None:
    """(FM-39) The last turn's messages leave; no new connection is made."""
    begin(side)

    async def last_words() -> None:
        side.link.send(ack(1))
        side.link.close()
        side.link.connect()

    side.loop.run_until_complete(last_words())
    side.run(lambda: len(side.peer.connections[0]) == 2)
    assert (len(side.peer.connections), side.losses) == (1, 0)
