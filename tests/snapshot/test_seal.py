"""Sealing and opening: what is refused, and with which word."""

import hashlib
import hmac
import random
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.errors import ContractError, SnapshotRefused
from perdure.snapshot import Body, Header, KeyRing, Meta, open_sealed, read_body, seal, sections
from perdure.snapshot.header import encode_header
from perdure.snapshot.seal import MAC_BYTES, MAGIC, key_id_of

try:
    from backports import zstd
except ImportError:  # Python 3.14 and later bring it along
    from compression import zstd  # type: ignore[import-not-found, no-redef, unused-ignore]

KEYS = KeyRing.generate(b"k" * 32)
NEWER = KeyRing.generate(b"n" * 32)
HEADER = Header(
    game="mud",
    room="world",
    epoch=3,
    c=41,
    branch=1,
    generation="g7",
    versions={"places": 2},
    created_us=1_700_000_000_000_000,
    roster=["a1", "a2"],
    state_hash="0123456789abcdef",
)
MIB = 1 << 20


def incompressible(size: int) -> bytes:
    return random.Random(7).randbytes(size)


SMALL = seal(HEADER, [incompressible(3800)], KEYS)


def refusal(data: bytes, **expected: object) -> str:
    """The reason for which `data` is refused."""
    with pytest.raises(SnapshotRefused) as refused:
        open_sealed(data, KEYS, body_bytes_max=MIB, **expected)  # type: ignore[arg-type]
    return refused.value.reason


def sealed_by_hand(header: Header, frame: bytes, keys: KeyRing = KEYS) -> bytes:
    """What somebody who holds the key could make: a good seal around anything."""
    encoded, id = encode_header(header), keys.signing.encode()
    data = MAGIC + bytes((1, len(id))) + id + len(encoded).to_bytes(4, "big") + encoded + frame
    return data + hmac.digest(keys.keys[keys.signing], data, hashlib.sha256)


@given(st.lists(st.binary(max_size=5000), max_size=20))
def test_what_is_sealed_opens_as_it_was(parts: list[bytes]) -> None:
    """Header and body come back unchanged; only the body's size was counted."""
    opened = open_sealed(seal(HEADER, parts, KEYS), KEYS, body_bytes_max=MIB)
    body = b"".join(parts)
    assert opened.body == body
    assert opened.header == msgspec.structs.replace(HEADER, body_bytes=len(body))
    assert opened.key_id == KEYS.signing


def test_a_rooms_value_survives_the_seal() -> None:
    """Body -> sections -> seal -> open -> body gives the same value, empty tables included."""
    meta = Meta(
        now_us=5,
        seed=b"s" * 16,
        started=True,
        timers={"t": b"\x90"},
        requests={4: b"\x90"},
        effects={"room:b": (3, [(2, b"x")])},
        mail_seen={"b": 9},
        seats={},
        schemas={},
        last_digest=b"d" * 16,
    )
    rows: dict[str | int | tuple[str | int, ...], bytes] = {f"wolf-{i}": b"\x81\xa2hp\x05" for i in range(2500)}
    body = Body(meta, {"creatures": rows, "shops": {}})
    opened = open_sealed(seal(HEADER, sections(body), KEYS), KEYS, body_bytes_max=MIB)
    again = read_body(opened.body)
    assert again == body
    assert list(again.tables["creatures"]) == list(rows)


def test_every_flipped_bit_of_a_small_snapshot_is_refused() -> None:
    """All bits of about 4 KiB, before anything of the body is decoded (FM-71)."""
    assert 3900 < len(SMALL) < 4300
    for place in range(len(SMALL) * 8):
        spoilt = bytearray(SMALL)
        spoilt[place // 8] ^= 1 << place % 8
        assert refusal(bytes(spoilt)) in {"magic", "format", "key", "seal", "size"}


def test_every_truncation_of_a_small_snapshot_is_refused() -> None:
    """Cut anywhere, from either end, the empty file included (FM-71, FM-35)."""
    for length in range(len(SMALL)):
        assert refusal(SMALL[:length]) in {"size", "magic", "key", "seal"}
        assert refusal(SMALL[len(SMALL) - length :]) in {"size", "magic", "format", "key", "seal"}
    assert refusal(SMALL + b"\0") == "seal"


@given(st.data())
def test_a_large_snapshot_with_any_byte_changed_is_refused(data: st.DataObject) -> None:
    """A sample of places in 2 MiB (FM-71)."""
    large = bytearray(LARGE)
    place = data.draw(st.integers(0, len(large) - 1))
    large[place] ^= data.draw(st.integers(1, 255))
    assert refusal(bytes(large)) in {"magic", "format", "key", "seal", "size"}


LARGE = seal(HEADER, [incompressible(2 * MIB)], KEYS)


@pytest.mark.parametrize(
    ("expected", "reason"),
    [({"room": "arena"}, "room"), ({"game": "chess"}, "game")],
)
def test_a_snapshot_in_another_place_is_refused(expected: dict[str, object], reason: str) -> None:
    """Sealed objects swapped between rooms or games keep a good seal (FM-72)."""
    assert refusal(SMALL, **expected) == reason
    opened = open_sealed(SMALL, KEYS, body_bytes_max=MIB, room="world", game="mud")
    assert opened.header.c == 41


def test_a_rotated_ring_still_opens_what_the_older_key_sealed() -> None:
    """One key signs, several verify (FM-72)."""
    rotated = KeyRing(NEWER.signing, KEYS.keys | NEWER.keys)
    assert open_sealed(SMALL, rotated, body_bytes_max=MIB).key_id == KEYS.signing
    assert key_id_of(seal(HEADER, [b"x"], rotated)) == rotated.signing != KEYS.signing


def test_a_retired_keys_seal_is_refused_by_name() -> None:
    """A retired key has a message of its own, so that nobody looks for damage (FM-72)."""
    retired = KeyRing(NEWER.signing, NEWER.keys, frozenset({KEYS.signing}))
    with pytest.raises(SnapshotRefused, match="retired") as refused:
        open_sealed(SMALL, retired, body_bytes_max=MIB)
    assert refused.value.reason == "key"
    assert KEYS.signing in str(refused.value)


def test_another_servers_key_is_refused_as_a_wrong_key() -> None:
    """A foreign ring is told apart from damage by the key's id (FM-72)."""
    with pytest.raises(SnapshotRefused, match="key file that belongs") as refused:
        open_sealed(SMALL, KeyRing.generate(b"z" * 32), body_bytes_max=MIB)
    assert refused.value.reason == "key"


def test_a_body_over_the_callers_bound_is_not_unpacked() -> None:
    """The header's size is believed only up to `body_bytes_max`."""
    with pytest.raises(SnapshotRefused) as refused:
        open_sealed(SMALL, KEYS, body_bytes_max=3799)
    assert refused.value.reason == "bounds"
    assert open_sealed(SMALL, KEYS, body_bytes_max=3800).header.body_bytes == 3800


def test_a_decompression_bomb_inside_a_valid_seal_stops_at_the_size_its_header_says() -> None:
    """A gigabyte of zeros behind a header that says 10 bytes is not unpacked (FM-73)."""
    compressor = zstd.ZstdCompressor(level=1)
    frame = b"".join([*(compressor.compress(bytes(MIB)) for _ in range(1024)), compressor.flush()])
    assert len(frame) < MIB
    bomb = sealed_by_hand(msgspec.structs.replace(HEADER, body_bytes=10), frame)
    assert refusal(bomb) == "bounds"
    assert refusal(sealed_by_hand(msgspec.structs.replace(HEADER, body_bytes=1 << 30), frame)) == "bounds"


def frame_of(body: bytes) -> bytes:
    return zstd.compress(body, level=1)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda frame: frame[:-1], id="cut off"),
        pytest.param(lambda frame: frame + b"x", id="bytes behind it"),
        pytest.param(lambda frame: frame + frame, id="a second frame"),
        pytest.param(lambda frame: b"", id="none"),
        pytest.param(lambda frame: b"garbage!" * 4, id="no frame"),
        pytest.param(lambda frame: frame_of(b"nine byte"), id="another size"),
    ],
)
def test_a_frame_that_is_not_exactly_the_body_is_refused(spoil: Callable[[bytes], bytes]) -> None:
    """Even behind a good seal the body is one whole frame of the size that the header says."""
    header = msgspec.structs.replace(HEADER, body_bytes=10)
    assert open_sealed(sealed_by_hand(header, frame_of(b"ten bytes!")), KEYS, body_bytes_max=MIB).body == b"ten bytes!"
    assert refusal(sealed_by_hand(header, spoil(frame_of(b"ten bytes!")))) == "body"


def test_a_frame_with_a_huge_window_is_refused() -> None:
    """Decompressing may not reserve more than 8 MiB beside the output (FM-73)."""
    options: dict[int, int] = {
        zstd.CompressionParameter.window_log: 27,
        zstd.CompressionParameter.content_size_flag: 0,
    }
    compressor = zstd.ZstdCompressor(options=options)
    frame = compressor.compress(b"ten bytes!") + compressor.flush()
    assert refusal(sealed_by_hand(msgspec.structs.replace(HEADER, body_bytes=10), frame)) == "body"


def test_a_header_length_beyond_the_snapshot_is_refused() -> None:
    """A length is a claim until it was compared."""
    id = KEYS.signing.encode()
    data = MAGIC + bytes((1, len(id))) + id + b"\xff\xff\xff\xff"
    assert refusal(data + hmac.digest(KEYS.keys[KEYS.signing], data, hashlib.sha256)) == "body"


def test_a_newer_body_format_is_refused_as_such() -> None:
    """A newer release's snapshot is not called damaged."""
    assert refusal(sealed_by_hand(msgspec.structs.replace(HEADER, format=2), frame_of(b""))) == "format"


def test_a_header_of_the_next_release_with_more_fields_opens() -> None:
    """The header is read by field name: fields that are not known are skipped."""
    fields = msgspec.msgpack.decode(encode_header(HEADER)) | {"colour": "red"}
    encoded, id = msgspec.msgpack.encode(fields), KEYS.signing.encode()
    data = MAGIC + bytes((1, len(id))) + id + len(encoded).to_bytes(4, "big") + encoded + frame_of(b"")
    data += hmac.digest(KEYS.keys[KEYS.signing], data, hashlib.sha256)
    assert open_sealed(data, KEYS, body_bytes_max=MIB).header == HEADER


def test_a_header_without_a_room_is_not_sealed() -> None:
    """Asserted at both ends: a blob that no room could claim is not made."""
    with pytest.raises(ContractError, match="names its room"):
        seal(msgspec.structs.replace(HEADER, room=""), [], KEYS)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_and_nothing_else_happens(data: bytes) -> None:
    """The opener's only failure is SnapshotRefused."""
    assert refusal(data) in {"size", "magic"}
    assert refusal(MAGIC + b"\x01" + data) in {"size", "key", "seal"}
    assert key_id_of(data) is None


def test_the_seal_covers_everything_before_it() -> None:
    """HMAC-SHA256 over magic, format, key id, header and the compressed body."""
    covered = SMALL[:-MAC_BYTES]
    assert hmac.digest(KEYS.keys[KEYS.signing], covered, hashlib.sha256) == SMALL[-MAC_BYTES:]
