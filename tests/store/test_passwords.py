"""Password hashes."""

import pytest

from perdure.errors import ContractError
from perdure.ports import PASSWORD_CHARS_MAX
from perdure.store.passwords import hash_password, verify_password


def test_a_password_fits_its_own_hash_only() -> None:
    """Any script; the salt makes each hash another one."""
    first, second = hash_password("pässword"), hash_password("pässword")
    assert first != second
    assert verify_password(first, "pässword")
    assert verify_password(second, "pässword")
    assert not verify_password(first, "passwort")
    assert not verify_password(first, "")


def test_hashes_are_argon2id_with_19_mib_and_two_passes() -> None:
    """The parameters stand in the hash, so that later ones can differ."""
    made = hash_password("xylophone")
    assert made.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.parametrize("damaged", ["", "plain", "$argon2id$v=19$m=19456,t=2,p=1$abc", "$argon2id$\0"])
def test_a_damaged_hash_fits_no_password(damaged: str) -> None:
    """A broken row locks the account; it never opens it."""
    assert not verify_password(damaged, "x")
    assert not verify_password(damaged, "")


def test_empty_and_endless_passwords_are_not_hashed() -> None:
    """The bound is that of the login dialogue, and holds for guesses too."""
    for refused in ("", "short", "ä" * (PASSWORD_CHARS_MAX + 1)):
        with pytest.raises(ContractError, match="6 to 128 characters"):
            hash_password(refused)
    assert not verify_password(hash_password("xylophone"), "x" * (PASSWORD_CHARS_MAX + 1))
