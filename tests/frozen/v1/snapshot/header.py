"""The snapshot's header: whose value this is, from when, and what is needed to read it.

It stands uncompressed before the body, so `perdure snapshot show` and recovery can judge a blob without
unpacking it. It is encoded by field name: a later release may add fields with defaults.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from tests.frozen.v1.errors import SnapshotRefused

BODY_FORMAT = 1
"""How the body's sections are laid out (`snapshot.body`). A change of meaning counts it up."""

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


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Header)


def encode_header(header: Header) -> bytes:
    """The header's bytes."""
    return _encoder.encode(header)


def decode_header(data: bytes | memoryview) -> Header:
    """The header in `data`. Only for bytes whose seal was verified.

    Raises:
        SnapshotRefused: ``body``: not a header. ``format``: the body's layout is newer than this program.
    """
    try:
        header = _decoder.decode(data)
    except msgspec.DecodeError as error:
        raise SnapshotRefused("body", f"The snapshot's header does not decode: {error}.") from error
    if header.format > BODY_FORMAT:
        raise SnapshotRefused(
            "format",
            f"The snapshot's body has format {header.format}; this Perdure reads up to {BODY_FORMAT}. "
            "It is untouched. Use the newer Perdure that wrote it.",
        )
    return header
