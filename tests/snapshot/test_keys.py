"""The key ring: who may seal, whose seals count."""

import pytest

from perdure.errors import ContractError
from perdure.snapshot import KeyRing

ENTROPY = bytes(range(32))
OTHER = bytes(range(32, 64))


def test_a_ring_survives_its_file() -> None:
    """What `to_json` writes, `from_json` reads: signing key, verifying keys, retired ones."""
    one, other = KeyRing.generate(ENTROPY), KeyRing.generate(OTHER)
    ring = KeyRing(other.signing, one.keys | other.keys, frozenset({"retired"}))
    again = KeyRing.from_json(ring.to_json())
    assert (again.signing, again.keys, again.retired) == (ring.signing, ring.keys, ring.retired)


def test_a_keys_id_is_a_fingerprint_of_the_key() -> None:
    """The same key has the same id everywhere: a foreign seal is told by its id."""
    assert KeyRing.generate(ENTROPY).signing == KeyRing.generate(ENTROPY).signing
    assert KeyRing.generate(ENTROPY).signing != KeyRing.generate(OTHER).signing


def test_the_signing_key_cannot_be_retired() -> None:
    """A ring can always seal: another one signs before one is retired."""
    ring = KeyRing.generate(ENTROPY)
    with pytest.raises(ContractError, match="signing key"):
        KeyRing(ring.signing, ring.keys, frozenset({ring.signing}))


def test_a_ring_never_shows_its_keys() -> None:
    """Neither a repr nor an error carries key bytes into a log."""
    ring = KeyRing.generate(ENTROPY)
    assert ENTROPY.hex() not in repr(ring)
    assert repr(ENTROPY) not in repr(ring)
    spoilt = ring.to_json().replace(b'"format"', b'"fromat"')
    with pytest.raises(ContractError) as refused:
        KeyRing.from_json(spoilt)
    assert ENTROPY.hex() not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'{"format":1,"signing":"a","keys":{"a":"zz"},"retired":[]}'])
def test_what_is_no_key_file_is_refused(data: bytes) -> None:
    """An empty or spoilt key file never becomes an empty key (FM-35)."""
    with pytest.raises(ContractError):
        KeyRing.from_json(data)


def test_a_short_key_is_refused() -> None:
    """Keys have 32 bytes, or there is no ring."""
    with pytest.raises(ContractError, match="32 bytes"):
        KeyRing.generate(b"short")
    with pytest.raises(ContractError, match="32 bytes"):
        KeyRing("a", {"a": b"short"})
