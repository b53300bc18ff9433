"""Sealing and opening snapshots: nothing is decoded before it is known to be ours and whole.

    magic 8 | container format 1 | length of the key id 1 | key id
    | length of the header 4 | header (msgpack) | body (one zstd frame) | HMAC-SHA256 over all of it 32

Opening reads the key id (it must, to know the key), verifies the seal in constant time, and only then
decodes. Whoever holds the key is still not trusted with memory: the header's `body_bytes` and the caller's
`body_bytes_max` bound the decompression, and so does the window (FM-73).

Both directions work in steps of at most a megabyte, and zstd and SHA-256 release the interpreter in each:
a thread that seals or opens 50 MiB holds nobody else up.
Level 1: on memory images level 3 gains almost nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

import msgspec

from perdure.errors import ContractError, SnapshotRefused
from perdure.snapshot.header import Header, decode_header, encode_header
from perdure.snapshot.keys import KeyRing

try:
    from backports import zstd
except ImportError:  # Python 3.14 and later bring it along
    from compression import zstd  # type: ignore[import-not-found, no-redef, unused-ignore]

__all__ = ["Opened", "key_id_of", "open_sealed", "seal"]

MAGIC = b"PERDURE\n"
CONTAINER_FORMAT = 1
MAC_BYTES = 32
HEADER_BYTES_MAX = 4 << 20
STEP_BYTES = 1 << 20
WINDOW_LOG_MAX = 23
"""8 MiB. Level 1 uses 512 KiB; a frame that asks for more than this is not one of ours."""

_FIXED_BYTES = len(MAGIC) + 2


class Opened(msgspec.Struct, frozen=True):
    """A snapshot that was verified.

    Attributes:
        header: As sealed.
        body: The whole body, decompressed, not decoded; for `read_body`.
        key_id: Which key had sealed it.
    """

    header: Header
    body: bytes
    key_id: str


def seal(header: Header, sections: Iterable[bytes], keys: KeyRing) -> bytes:
    """A snapshot as it is stored.

    Args:
        header: Its `body_bytes` is counted here, whatever it says.
        sections: The body in pieces, as `snapshot.body.sections` makes them.
        keys: The signing key seals.
    Raises:
        ContractError: The header names no room or no game, or is too large.
    """
    if not header.room or not header.game:
        raise ContractError("A snapshot's header names its room and its game.")
    body_bytes, body = _compressed(sections)
    encoded = encode_header(msgspec.structs.replace(header, body_bytes=body_bytes))
    if len(encoded) > HEADER_BYTES_MAX:
        raise ContractError(f"The snapshot's header has {len(encoded)} bytes, over {HEADER_BYTES_MAX}.")
    id = keys.signing.encode()
    prefix = MAGIC + bytes((CONTAINER_FORMAT, len(id))) + id + len(encoded).to_bytes(4, "big") + encoded
    pieces = [prefix, *body]
    return b"".join([*pieces, _mac(keys.keys[keys.signing], pieces)])


def open_sealed(
    data: bytes,
    keys: KeyRing,
    *,
    body_bytes_max: int,
    room: str | None = None,
    game: str | None = None,
) -> Opened:
    """The verified snapshot in `data`.

    Args:
        data: As `seal` made it.
        keys: Any key of the ring that is not retired may have sealed it.
        body_bytes_max: The largest body to unpack.
        room, game: What it must be of, where the caller knows.
    Raises:
        SnapshotRefused: With one of its reasons. Nothing of the body was decoded.
    """
    key_id, start = _verified(data, keys)
    view = memoryview(data)[:-MAC_BYTES]
    header_end = start + 4 + int.from_bytes(view[start : start + 4], "big")
    if header_end > len(view):
        raise SnapshotRefused("body", "The snapshot's header is longer than the snapshot.")
    header = decode_header(view[start + 4 : header_end])
    _check_identity(header, room, game)
    if header.body_bytes > body_bytes_max:
        raise SnapshotRefused(
            "bounds",
            f"The snapshot of room {header.room!r} has a body of {header.body_bytes} bytes; at most "
            f"{body_bytes_max} are unpacked here. Nothing was unpacked.",
        )
    return Opened(header, _decompressed(view[header_end:], header.body_bytes), key_id)


def key_id_of(data: bytes) -> str | None:
    """Id of the key that claims to have sealed `data`, unverified; None for what is no snapshot at all."""
    if len(data) < _FIXED_BYTES or data[: len(MAGIC)] != MAGIC or data[len(MAGIC)] != CONTAINER_FORMAT:
        return None
    return data[_FIXED_BYTES : _FIXED_BYTES + data[_FIXED_BYTES - 1]].decode("ascii", "replace")


def _verified(data: bytes, keys: KeyRing) -> tuple[str, int]:
    """(key id, offset behind it) once the seal is known to be good."""
    if len(data) < _FIXED_BYTES + 1 + 4 + MAC_BYTES:
        raise SnapshotRefused("size", f"{len(data)} bytes are too few for a sealed snapshot. It was cut off.")
    if data[: len(MAGIC)] != MAGIC:
        raise SnapshotRefused("magic", "This is no sealed snapshot of Perdure: its first bytes are others.")
    if data[len(MAGIC)] != CONTAINER_FORMAT:
        raise SnapshotRefused(
            "format",
            f"The snapshot's container has format {data[len(MAGIC)]}; this Perdure reads "
            f"{CONTAINER_FORMAT}. It is untouched. It is damaged, or a newer Perdure wrote it.",
        )
    start = _FIXED_BYTES + data[_FIXED_BYTES - 1]
    key_id = data[_FIXED_BYTES:start].decode("ascii", "replace")
    key = _key(key_id, keys)
    if start + 4 + MAC_BYTES > len(data):
        raise SnapshotRefused("size", f"{len(data)} bytes are too few for a sealed snapshot. It was cut off.")
    if not hmac.compare_digest(_mac(key, [memoryview(data)[:-MAC_BYTES]]), data[-MAC_BYTES:]):
        raise SnapshotRefused(
            "seal",
            "The snapshot's seal does not fit its content: it is damaged, cut off or forged. "
            "Nothing of it was read. Use another snapshot of the room.",
        )
    return key_id, start


def _key(key_id: str, keys: KeyRing) -> bytes:
    if key_id in keys.retired:
        raise SnapshotRefused(
            "key",
            f"The snapshot was sealed with key {key_id!r}, which is retired. Nothing of it was read. "
            "Take the key back into the key file if the snapshot is to be trusted again.",
        )
    key = keys.keys.get(key_id)
    if key is None:
        raise SnapshotRefused(
            "key",
            f"The snapshot was sealed with key {key_id!r}, and the key ring has {sorted(keys.keys)}. "
            "Nothing of it was read. Bring back the key file that belongs to this state folder.",
        )
    return key


def _check_identity(header: Header, room: str | None, game: str | None) -> None:
    if room is not None and header.room != room:
        raise SnapshotRefused("room", f"The snapshot is of room {header.room!r}, not of {room!r}.")
    if game is not None and header.game != game:
        raise SnapshotRefused("game", f"The snapshot is of game {header.game!r}, not of {game!r}.")


def _mac(key: bytes, pieces: Iterable[bytes | memoryview]) -> bytes:
    mac = hmac.new(key, digestmod=hashlib.sha256)
    for piece in pieces:
        mac.update(piece)
    return mac.digest()


def _compressed(sections: Iterable[bytes]) -> tuple[int, list[bytes]]:
    compressor = zstd.ZstdCompressor(level=1)
    total = 0
    pieces: list[bytes] = []
    for section in sections:
        view = memoryview(section)
        total += len(view)
        steps = (view[start : start + STEP_BYTES] for start in range(0, len(view), STEP_BYTES))
        pieces.extend(compressor.compress(step) for step in steps)
    pieces.append(compressor.flush())
    return total, [piece for piece in pieces if piece]


def _decompressed(frame: memoryview, size: int) -> bytes:
    """Exactly `size` bytes out of exactly one frame, or SnapshotRefused."""
    decompressor = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: WINDOW_LOG_MAX})
    pieces: list[bytes] = []
    total = start = 0
    while not decompressor.eof:
        fed = frame[start : start + STEP_BYTES] if decompressor.needs_input else frame[:0]
        if decompressor.needs_input and not fed:
            raise SnapshotRefused("body", "The snapshot's body ends inside its compressed frame.")
        start += len(fed)
        try:
            piece = decompressor.decompress(fed, max_length=STEP_BYTES)
        except zstd.ZstdError as error:
            raise SnapshotRefused("body", f"The snapshot's body does not decompress: {error}.") from error
        total += len(piece)
        if total > size:
            raise SnapshotRefused(
                "bounds", f"The snapshot's body is larger than the {size} bytes that its header says."
            )
        pieces.append(piece)
    if total != size or start != len(frame) or decompressor.unused_data:
        raise SnapshotRefused("body", "The snapshot's body is not the one its header describes.")
    return b"".join(pieces)
