"""The snapshot's header: whose value this is, from when, and what is needed to read it.

It stands uncompressed before the body, so `perdure snapshot show` and recovery can judge a blob without
unpacking it. It is encoded by field name: a later release may add fields with defaults.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from perdure.errors import SnapshotRefused
from perdure.versions import SNAPSHOT

BODY_FORMAT = 1
"""How the body's sections are laid out as `seal` writes them (`snapshot.body`); `versions.SNAPSHOT` is what is read.

A change of meaning counts it up; another field of the header does not."""

Count = Annotated[int, msgspec.Meta(ge=0)]


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a sealed snapshot says about itself.

    Attributes:
        format: Layout of the body.
        game: Which game the room plays.
        room: The room's id.
        epoch: Ownership under which the snapshot was taken.
        c: Number of the last callback that is in it.
        branch: Branch of the room's history.
        generation: Generation of a Python game's code, or hash of a wasm artifact.
        versions: Module -> version of its rows.
        created_us: When, wall clock, in microseconds since the Unix epoch.
        roster: Ids of the players who sat in the room.
        state_hash: 16 hex digits over the rows' bytes, as the room computed them; carried here, not checked.
        body_bytes: Size of the body before compression; `seal` counts it.
        written_by: Perdure's version and the build that captured it, for people; "" from one that did not say.
    """

    format: Count = BODY_FORMAT
    game: str
    room: str
    epoch: Count
    c: Count
    branch: Count = 0
    generation: str = ""
    versions: dict[str, int] = {}
    created_us: int = 0
    roster: list[str] = []
    state_hash: str = ""
    body_bytes: Count = 0
    written_by: str = ""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Header)


def encode_header(header: Header) -> bytes:
    """The header's bytes."""
    return _encoder.encode(header)


def decode_header(data: bytes | memoryview) -> Header:
    """The header in `data`. Only for bytes whose seal was verified.

    Raises:
        SnapshotRefused: ``body``: not a header. ``format``: a layout of the body that this program does not read.
    """
    try:
        header = _decoder.decode(data)
    except msgspec.DecodeError as error:
        raise SnapshotRefused("body", f"The snapshot's header does not decode: {error}.") from error
    if not SNAPSHOT.has(header.format):
        writer = f", written by {header.written_by}" if header.written_by else ""
        raise SnapshotRefused(
            "format",
            f"The snapshot's body has format {header.format}{writer}; this Perdure reads {SNAPSHOT.numbers}. "
            "It is untouched. Use the Perdure that wrote it.",
        )
    return header
