"""What a snapshot carries: the room's value, as structs and encoded rows.

The body is a sequence of sections: one `Meta`, then the tables in chunks. Rows stay the bytes that
the tables hold, so capturing encodes no row and restoring decodes none. Chunks keep each step short:
a thread that packs a large room never holds the interpreter for long.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from perdure.errors import SnapshotRefused

CHUNK_ROWS = 1000
"""Rows per chunk: about 100 KiB, packed in well under a millisecond."""

RawKey = str | int | tuple[str | int, ...]


class SeatState(msgspec.Struct, array_like=True):
    """A seat as stored.

    Attributes:
        j: The how-manieth seat of its session.
        applied: Number of the last event applied.
        next_m: Number of the next output.
        outbox: (m, msgpack of the output), not yet acknowledged.
        stage: open, left or moved.
        who: msgpack of who sits here.
        columns, rows: Window size in characters.
        screenreader: Whether the player listens to the text. A program from before this field passes over it.
    """

    j: int
    applied: int
    next_m: int
    outbox: list[tuple[int, bytes]]
    stage: str
    who: bytes
    columns: int
    rows: int
    screenreader: bool = False


class TableSchema(msgspec.Struct, array_like=True):
    """How a table's rows were typed when they were written.

    Attributes:
        version: Version of the module that owns the table.
        fields: Field name -> its type, as text.
    """

    version: int
    fields: dict[str, str]


class Meta(msgspec.Struct, array_like=True):
    """Everything of a room's value but its rows.

    Attributes:
        now_us: The room's clock.
        seed: 16 bytes, the room's own.
        started: Whether the start callback has run.
        timers: id -> msgpack of the timer.
        requests: id -> msgpack of the request.
        effects: service -> (next number, [(number, body)] unacknowledged).
        mail_seen: source room -> number of its last mail applied.
        seats: session -> seat.
        schemas: table -> every schema under which rows of it may have been written, the latest last.
        last_digest: Digest of the room's last record.
    """

    now_us: int
    seed: bytes
    started: bool
    timers: dict[str, bytes]
    requests: dict[int, bytes]
    effects: dict[str, tuple[int, list[tuple[int, bytes]]]]
    mail_seen: dict[str, int]
    seats: dict[str, SeatState]
    schemas: dict[str, list[TableSchema]]
    last_digest: bytes


class Body(msgspec.Struct):
    """A room's value: `meta`, and for each table its encoded rows in order."""

    meta: Meta
    tables: dict[str, dict[RawKey, bytes]]


_Chunk = tuple[str, list[tuple[RawKey, bytes]]]
_encoder = msgspec.msgpack.Encoder()
_meta_decoder = msgspec.msgpack.Decoder(Meta)
_chunk_decoder = msgspec.msgpack.Decoder(_Chunk)


def sections(body: Body) -> Iterator[bytes]:
    """The body as length-prefixed sections, in order; joined they are what `read_body` reads."""
    yield _framed(_encoder.encode(body.meta))
    for name, rows in body.tables.items():
        items = iter(rows.items())
        yield _framed(_encoder.encode((name, list(islice(items, CHUNK_ROWS)))))
        while chunk := list(islice(items, CHUNK_ROWS)):
            yield _framed(_encoder.encode((name, chunk)))


def read_body(data: bytes | Iterable[bytes]) -> Body:
    """The body in `data`. Only for bytes whose seal was verified.

    Raises:
        SnapshotRefused: ``body``: the sections do not add up to a body.
    """
    view = memoryview(data if isinstance(data, bytes) else b"".join(data))
    try:
        parts = list(_cut(view))
        meta = _meta_decoder.decode(parts[0])
        tables: dict[str, dict[RawKey, bytes]] = {}
        for part in parts[1:]:
            name, rows = _chunk_decoder.decode(part)
            tables.setdefault(name, {}).update(rows)
    except (msgspec.DecodeError, IndexError) as error:
        raise SnapshotRefused("body", f"the snapshot's body does not decode: {error}") from error
    return Body(meta, tables)


def _framed(section: bytes) -> bytes:
    return len(section).to_bytes(4, "big") + section


def _cut(view: memoryview) -> Iterator[memoryview]:
    start = 0
    while start < len(view):
        size = int.from_bytes(view[start : start + 4], "big")
        end = start + 4 + size
        if end > len(view):
            raise SnapshotRefused("body", "the snapshot's body ends inside a section")
        yield view[start + 4 : end]
        start = end
