"""The link's messages and their frames.

A frame is a big-endian u32 length and a msgpack list of messages; whatever a side has to say in one
turn of its loop travels in one frame. Both sides send `Hello` first.
"""

from __future__ import annotations

import msgspec

from perdure.errors import ProtocolError
from perdure.room.record import EventBody, Output
from perdure.versions import LINK, Versions, overlap, refusal

VERSION_LOWEST, VERSION = LINK
"""The oldest version of the link that this program speaks, and the one that it speaks best."""
FRAME_BYTES_SENT = 1024 * 1024
"""What is more than this is sent in several frames."""
FRAME_BYTES_MAX = 16 * 1024 * 1024
"""A longer frame is a protocol error: no honest peer batches that much in one turn."""


class GatewayHello(msgspec.Struct, tag=0, array_like=True, frozen=True):
    """First message of a gateway. A higher epoch of the same gateway means that its earlier sessions are gone."""

    lowest: int
    highest: int
    gateway: str
    epoch: int


class HostHello(msgspec.Struct, tag=1, array_like=True, frozen=True):
    """First message of a host. `build` is its number as people know it, "" from a host that speaks version 1."""

    lowest: int
    highest: int
    host: str
    build: str = ""


class EventSent(msgspec.Struct, tag=2, array_like=True, frozen=True):
    """gateway -> host: event n of seat (session, j), for the owner under this epoch and nobody else."""

    room: str
    epoch: int
    session: str
    j: int
    n: int
    body: EventBody


class OutAck(msgspec.Struct, tag=3, array_like=True, frozen=True):
    """gateway -> host: outputs up to m of seat (session, j) were shown."""

    room: str
    session: str
    j: int
    m: int


class SeatGone(msgspec.Struct, tag=4, array_like=True, frozen=True):
    """gateway -> host: seat (session, j) exists no more at this gateway."""

    room: str
    session: str
    j: int


class RoomUp(msgspec.Struct, tag=5, array_like=True, frozen=True):
    """host -> gateway: the room runs here, under this epoch, with these seats of yours: session -> (j, applied n)."""

    room: str
    epoch: int
    branch: int
    seats: dict[str, tuple[int, int]]


class Out(msgspec.Struct, tag=6, array_like=True, frozen=True):
    """host -> gateway: one output for each (session, j, m)."""

    room: str
    epoch: int
    seats: list[tuple[str, int, int]]
    body: Output


class Ack(msgspec.Struct, tag=7, array_like=True, frozen=True):
    """host -> gateway: events up to n of seat (session, j) are applied and durable."""

    room: str
    epoch: int
    session: str
    j: int
    n: int


Message = GatewayHello | HostHello | EventSent | OutAck | SeatGone | RoomUp | Out | Ack

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Message])


def encode_frame(messages: list[Message]) -> bytes:
    """One frame with all of `messages`, in order."""
    body = _encoder.encode(messages)
    return len(body).to_bytes(4, "big") + body


def encode_frames(messages: list[Message]) -> bytes:
    """Frames with all of `messages`, in order, none longer than need be for a peer to take it."""
    frame = encode_frame(messages)
    if len(frame) <= FRAME_BYTES_SENT or len(messages) == 1:
        return frame
    half = len(messages) // 2
    return encode_frames(messages[:half]) + encode_frames(messages[half:])


class FrameReader:
    """Cuts a byte stream into frames; holds at most one incomplete frame."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """All messages that are complete with `data`.

        Raises:
            ProtocolError: A frame is too long or is not a list of messages.
        """
        buffer = self._buffer
        buffer += data
        messages: list[Message] = []
        start = 0
        while len(buffer) - start >= 4:
            size = int.from_bytes(buffer[start : start + 4], "big")
            if size > FRAME_BYTES_MAX:
                raise ProtocolError(f"a link frame of {size} bytes; at most {FRAME_BYTES_MAX} are allowed")
            if len(buffer) - start - 4 < size:
                break
            messages += _decode(bytes(buffer[start + 4 : start + 4 + size]))
            start += 4 + size
        del buffer[:start]
        return messages


def _decode(body: bytes) -> list[Message]:
    try:
        return _decoder.decode(body)
    except msgspec.DecodeError as error:
        raise ProtocolError(f"a link frame does not decode: {error}") from error


def agreed_version(lowest: int, highest: int) -> int:
    """The highest version that both sides speak.

    Raises:
        ProtocolError: There is none.
    """
    theirs = Versions(lowest, highest)
    common = overlap(LINK, theirs)
    if common is None:
        raise ProtocolError(f"{refusal('link', 'the peer', theirs, 'this program', LINK)}; the link is closed")
    return common.highest
