"""Password hashes: argon2id with 19 MiB, two passes, one lane.

The figures are OWASP's Password Storage Cheat Sheet's second choice for argon2id: some 20 ms and 19 MiB each.
Each call takes its time and memory; the caller keeps it off the event loop, one at a time.
"""

from __future__ import annotations

import argon2

from perdure.errors import ContractError
from perdure.ports import PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN

MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1

_hasher = argon2.PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)


def hash_password(password: str) -> str:
    """The password's hash, salt and parameters included, as `Accounts` stores it.

    Raises:
        ContractError: The password is shorter or longer than a password may be.
    """
    if not PASSWORD_CHARS_MIN <= len(password) <= PASSWORD_CHARS_MAX:
        raise ContractError(
            f"A password has {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters. Nothing was changed."
        )
    return _hasher.hash(password)


def verify_password(password_hash: str, password: str) -> bool:
    """Whether the password is the one that was hashed. A damaged or empty hash fits no password."""
    try:
        return len(password) <= PASSWORD_CHARS_MAX and _hasher.verify(password_hash, password)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False
