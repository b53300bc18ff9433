"""What a segment's bytes mean: the header, the frames, and what is damage.

A segment is a preallocated file of zeros, filled from the front:

    segment   magic 8 | length 4 | CRC32C 4 | head (msgpack), padded to 512 bytes; then frames
    frame     marker 4 | length 4 | CRC32C of the payload 4 | CRC32C of the room's id 4
              | CRC32C of these sixteen bytes 4; then the payload

**Torn or damaged.** A process that is killed while it appends leaves a piece of a frame behind the last
good one: a torn tail, of which nobody was told anything, and which is cut silently. Anything else that does
not verify is damage and is reported, never cut: a bad stretch with a good record after it, a segment that
ends before the point that the next segment (`previous_end`) or the clean-stop marker names.

After a bad stretch reading goes on at the next place where the marker and the header's own CRC fit; where
the bad frame's header is whole, its length is believed and nothing inside its payload is looked at.

Known limits. A flipped bit in the very last record of a journal that was not closed cleanly looks like a
torn tail. A whole segment removed by hand is not noticed here. The chain of digests in the records notices
both as soon as the room has a later record; it also refuses a frame that a payload imitates. After a power
loss pages that were never synced may be missing anywhere, which reads as damage: the boot id tells.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

import google_crc32c
import msgspec

from perdure.errors import ContractError
from perdure.versions import JOURNAL

MAGIC = b"PERDJRN\n"
MARKER = b"\xff\xfe\xfdP"
"""Starts with bytes that no UTF-8 text has, so that a player cannot type it."""

SUFFIX = ".seg"
SEGMENT_FORMAT = 1
"""What is written; `versions.JOURNAL` is what is read."""
SEGMENT_HEADER_BYTES = 512
FRAME_HEADER_BYTES = 20

_FIELDS = struct.Struct("<4sIII")
_CRC = struct.Struct("<I")
_SEGMENT = struct.Struct("<8sII")


class SegmentHead(msgspec.Struct, frozen=True):
    """What a segment says about itself.

    Attributes:
        format: Layout of the frames.
        host: Incarnation that wrote it.
        boot_id: The machine's boot during which it did.
        number: 1, 2, 3, … within the incarnation.
        previous_end: Offset at which the segment before was full; 0 for the first.
    """

    format: int
    host: str
    boot_id: str
    number: int
    previous_end: int


class Identity(msgspec.Struct):
    """Content of the lock file; `pid` is for people."""

    format: int
    host: str
    boot_id: str
    pid: int


class CleanStop(msgspec.Struct):
    """Content of the clean-stop marker: where the last segment ends, 0 and 0 without any."""

    segment: int
    end: int


class Good(NamedTuple):
    """A whole record and the offset behind it."""

    payload: bytes
    end: int


class Bad(NamedTuple):
    """Bytes that are no record. `room_crc` is known when the frame's header survived."""

    offset: int
    room_crc: int | None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(SegmentHead)


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli, RFC 3720 appendix B.4)."""
    crc: int = google_crc32c.value(data)
    return crc


def encode_head(head: SegmentHead) -> bytes:
    """The first `SEGMENT_HEADER_BYTES` of a segment."""
    encoded = _encoder.encode(head)
    data = _SEGMENT.pack(MAGIC, len(encoded), crc32c(encoded)) + encoded
    if len(data) > SEGMENT_HEADER_BYTES:
        raise ContractError("A host's incarnation id and boot id have at most 400 bytes together.")
    return data.ljust(SEGMENT_HEADER_BYTES, b"\0")


def decode_head(data: bytes) -> SegmentHead | None:
    """The head of a segment's bytes, None if it is damaged.

    Raises:
        ContractError: A Perdure wrote it whose format this one does not read.
    """
    if len(data) < SEGMENT_HEADER_BYTES:
        return None
    magic, length, crc = _SEGMENT.unpack_from(data)
    encoded = data[_SEGMENT.size : _SEGMENT.size + length]
    if magic != MAGIC or _SEGMENT.size + length > SEGMENT_HEADER_BYTES or crc32c(encoded) != crc:
        return None
    try:
        head = _decoder.decode(encoded)
    except msgspec.DecodeError:
        return None
    if not JOURNAL.has(head.format):
        raise ContractError(
            f"The journal of {head.host} has format {head.format}; this Perdure reads {JOURNAL.numbers}. "
            "It is untouched. Start the Perdure that wrote it."
        )
    return head


def frame(room_crc: int, payload: bytes) -> bytes:
    """The payload as it is appended."""
    fields = _FIELDS.pack(MARKER, len(payload), google_crc32c.value(payload), room_crc)
    return b"%b%b%b" % (fields, _CRC.pack(google_crc32c.value(fields)), payload)


def walk(data: bytes, at: int = SEGMENT_HEADER_BYTES) -> Iterator[Good | Bad]:
    """The records from offset `at` of a segment on, and the bad stretches between them, in order.

    A stretch of zeros up to the end is the part that was never used, and yields nothing.
    """
    used = len(data.rstrip(b"\0"))
    while at < used:
        header = header_at(data, at)
        if header is None:
            yield Bad(at, None)
            at = _resync(data, at + 1)
            continue
        length, crc, room_crc = header
        end = at + FRAME_HEADER_BYTES + length
        payload = data[at + FRAME_HEADER_BYTES : end]
        if len(payload) == length and crc32c(payload) == crc:
            yield Good(payload, end)
        else:
            yield Bad(at, room_crc)
        at = end


def frame_at(data: bytes, at: int) -> Good | None:
    """The whole frame at offset `at`, if there is one."""
    header = header_at(data, at)
    if header is None:
        return None
    length, crc, _ = header
    end = at + FRAME_HEADER_BYTES + length
    payload = data[at + FRAME_HEADER_BYTES : end]
    return Good(payload, end) if len(payload) == length and crc32c(payload) == crc else None


def header_at(data: bytes, at: int) -> tuple[int, int, int] | None:
    """(length, CRC of the payload, CRC of the room's id) of a frame's header, if there is a whole one."""
    fields = data[at : at + _FIELDS.size]
    if not fields.startswith(MARKER) or at + FRAME_HEADER_BYTES > len(data):
        return None
    if _CRC.unpack_from(data, at + _FIELDS.size)[0] != crc32c(fields):
        return None
    _, length, crc, room_crc = _FIELDS.unpack(fields)
    return length, crc, room_crc


def _resync(data: bytes, at: int) -> int:
    """Offset of the next whole frame header, or of the end."""
    while (at := data.find(MARKER, at)) >= 0:
        if header_at(data, at) is not None:
            return at
        at += 1
    return len(data)
