"""Frames on the link: cut anywhere, decoded exactly, bounded."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.errors import ProtocolError
from perdure.link.messages import (
    FRAME_BYTES_MAX,
    VERSION,
    VERSION_LOWEST,
    Ack,
    EventSent,
    FrameReader,
    GatewayHello,
    HostHello,
    Message,
    Out,
    OutAck,
    RoomUp,
    SeatGone,
    agreed_version,
    encode_frame,
    encode_frames,
)
from perdure.room.record import End, Go, Input, Join, Leave, Refused, Resize, Text, Who
from perdure.versions import Versions

EVERY: list[Message] = [
    GatewayHello(1, 1, "g", 1),
    HostHello(1, 2, "host-1"),
    HostHello(1, 2, "host-1", "17"),
    EventSent("hall", 3, "g.1.1", 1, 0, Join(Who("1", "Ann"), 132, 50)),
    EventSent("hall", 3, "g.1.1", 1, 1, Input("say ✓")),
    EventSent("hall", 3, "g.1.1", 1, 2, Resize(80, 24)),
    EventSent("hall", 3, "g.1.1", 1, 3, Leave("bye")),
    OutAck("hall", "g.1.1", 1, 7),
    SeatGone("hall", "g.1.1", 1),
    RoomUp("hall", 3, 1, {"g.1.1": (1, 3)}),
    Out("hall", 3, [("g.1.1", 1, 8), ("g.1.2", 4, 1)], Text("hi\n")),
    Out("hall", 3, [("g.1.1", 1, 9)], Go("arena", 3)),
    Out("hall", 3, [("g.1.1", 1, 9)], Refused("full", 0)),
    Out("hall", 3, [("g.1.1", 1, 9)], End("bye")),
    Ack("hall", 3, "g.1.1", 1, 3),
]


@given(st.lists(st.lists(st.sampled_from(EVERY), max_size=5), max_size=5), st.lists(st.integers(0, 400), max_size=8))
def test_every_message_arrives_however_the_stream_is_cut(frames: list[list[Message]], cuts: list[int]) -> None:
    """A frame is whole or waits (FM-4)."""
    stream = b"".join(encode_frame(frame) for frame in frames)
    reader, read, start = FrameReader(), [], 0
    for end in [*sorted(cuts), len(stream)]:
        read += reader.feed(stream[start:end])
        start = max(start, end)
    assert read == [message for frame in frames for message in frame]


def test_a_byte_at_a_time_is_enough() -> None:
    """The reader holds what is incomplete."""
    reader = FrameReader()
    assert [m for byte in encode_frame(EVERY) for m in reader.feed(bytes([byte]))] == EVERY


def test_a_frame_over_the_bound_is_refused_before_it_arrives() -> None:
    """Its length alone is enough (FM-73)."""
    with pytest.raises(ProtocolError, match=str(FRAME_BYTES_MAX)):
        FrameReader().feed((FRAME_BYTES_MAX + 1).to_bytes(4, "big"))


@given(st.binary(max_size=64))
def test_other_bytes_are_a_protocol_error_or_incomplete(body: bytes) -> None:
    """Nothing else comes out of the reader, whatever goes in."""
    try:
        messages = FrameReader().feed(len(body).to_bytes(4, "big") + body)
    except ProtocolError:
        return
    assert all(type(message) in Message.__args__ for message in messages)


def test_both_sides_speak_the_highest_version_that_both_know() -> None:
    """A release speaks its own version and older ones down to the lowest (FM-97)."""
    assert agreed_version(VERSION, VERSION + 5) == VERSION
    assert agreed_version(VERSION_LOWEST, VERSION_LOWEST) == VERSION_LOWEST
    for lowest, highest in ((VERSION + 1, VERSION + 2), (VERSION_LOWEST - 1, VERSION_LOWEST - 1)):
        with pytest.raises(ProtocolError, match=f"link {Versions(lowest, highest)}, "):
            agreed_version(lowest, highest)


def test_a_hello_is_read_across_the_versions() -> None:
    """What version 2 adds stands at the end: missing it has a default, too much of it is passed over (FM-97)."""

    def frame(*fields: object) -> bytes:
        body = msgspec.msgpack.encode([fields])
        return len(body).to_bytes(4, "big") + body

    assert FrameReader().feed(frame(1, 1, 1, "host-1")) == [HostHello(1, 1, "host-1", "")]
    assert FrameReader().feed(frame(1, 2, 3, "host-1", "17", "later")) == [HostHello(2, 3, "host-1", "17")]


def test_what_is_much_travels_in_several_frames() -> None:
    """A room's announcement may be larger than any frame that a peer takes."""
    outs = [Out("hall", 1, [("g.1.1", 1, m)], Text("x" * 200_000)) for m in range(1, 101)]
    data = encode_frames(list(outs))
    reader, read = FrameReader(), []
    for start in range(0, len(data), 65_536):
        read += reader.feed(data[start : start + 65_536])
    assert len(data) > FRAME_BYTES_MAX
    assert read == outs
