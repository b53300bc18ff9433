"""The key ring: one key signs, several verify, retired ones refuse.

A key's id is a fingerprint of the key, so a snapshot sealed with another state folder's key is told
apart from a damaged one. The ring never shows its keys in a repr, a log or an error.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from perdure.errors import ContractError

KEY_BYTES = 32
"""As long as SHA-256's output; longer keys add nothing (RFC 2104, section 3)."""


class _Stored(msgspec.Struct, forbid_unknown_fields=True):
    format: int
    signing: str
    keys: dict[str, str]
    retired: list[str]


class KeyRing:
    """Keys for sealing snapshots.

    Args:
        signing: Id of the key that seals.
        keys: Id -> 32 bytes; all of them verify, but for those that are retired.
        retired: Ids whose seals are refused, with a message of their own.
    Raises:
        ContractError: The signing key is missing or retired, or a key has another length.
    """

    def __init__(self, signing: str, keys: Mapping[str, bytes], retired: frozenset[str] = frozenset()) -> None:
        if signing not in keys or signing in retired:
            raise ContractError(f"The key ring's signing key {signing!r} is missing or retired.")
        for id, key in keys.items():
            if len(key) != KEY_BYTES or not id.isascii() or not 0 < len(id) < 64:
                raise ContractError(f"Key {id!r} of the key ring is not {KEY_BYTES} bytes under an ASCII id.")
        self.signing, self.keys, self.retired = signing, dict(keys), retired

    @staticmethod
    def generate(entropy: bytes) -> KeyRing:
        """A ring with one new key made of `entropy`: 32 bytes that nobody else knows."""
        return KeyRing(_fingerprint(entropy), {_fingerprint(entropy): bytes(entropy)})

    def to_json(self) -> bytes:
        """The ring as its file holds it. Secret."""
        keys = {id: key.hex() for id, key in self.keys.items()}
        stored = _Stored(1, self.signing, keys, sorted(self.retired))
        return msgspec.json.format(msgspec.json.encode(stored), indent=2) + b"\n"

    @staticmethod
    def from_json(data: bytes) -> KeyRing:
        """The ring in a key file's bytes.

        Raises:
            ContractError: They are no key ring. The message shows none of them.
        """
        try:
            stored = msgspec.json.decode(data, type=_Stored)
            keys = {id: bytes.fromhex(key) for id, key in stored.keys.items()}
        except (msgspec.DecodeError, ValueError):
            raise ContractError("The key file's content is no key ring.") from None
        if stored.format != 1:
            raise ContractError(f"The key file has format {stored.format}; this Perdure reads format 1.")
        return KeyRing(stored.signing, keys, frozenset(stored.retired))

    def __repr__(self) -> str:
        return f"KeyRing(signing={self.signing!r}, keys={sorted(self.keys)}, retired={sorted(self.retired)})"


def _fingerprint(key: bytes) -> str:
    if len(key) != KEY_BYTES:
        raise ContractError(f"A new key needs {KEY_BYTES} bytes of entropy, not {len(key)}.")
    return "k" + hashlib.sha256(b"perdure key id\0" + key).hexdigest()[:12]
