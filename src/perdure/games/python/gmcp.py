"""GMCP messages as games write them: a package's name, and plain data that goes out as JSON.

What a client could not read is the author's mistake, and is said where it was made.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import NoReturn

import msgspec

from perdure.errors import GameError

JSON_BYTES_MAX = 16 * 1024
"""Of one message. It stays small enough to be a single frame, and a seat's outbox holds many of them."""
PACKAGE_CHARS_MAX = 64
PACKAGE = re.compile(r"[A-Za-z][A-Za-z0-9_-]*(\.[A-Za-z][A-Za-z0-9_-]*)+")
OWN = ("core", "char.login")
"""Packages (and what is below them) that the gateway speaks itself: how client and server agree, and passwords."""

_encode = msgspec.json.Encoder().encode


def message(package: str, data: object) -> tuple[str, bytes]:
    """The message as a room's output carries it.

    Raises:
        GameError: The package's name cannot be one, or the data is not plain or too large.
    """
    return package, encoded(package, data)


def encoded(package: str, data: object, known: bytes | None = None) -> bytes:
    """The data of a message as JSON; what comes out as `known` was looked at before.

    Raises:
        GameError: As `message`.
    """
    check_package(package)
    try:
        body = _encode(data)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        _check(package, data)
        raise GameError(f"the data of {package} cannot be sent: {error}.") from error
    if body == known:
        return body
    _check(package, data)
    if len(body) > JSON_BYTES_MAX:
        raise GameError(
            f"the data of {package} has {len(body)} bytes as JSON, and {JSON_BYTES_MAX} are sent at most. "
            f"Send less of it, or several packages."
        )
    return body


@lru_cache(maxsize=256)
def check_package(package: object) -> None:
    """Make sure that this can be a package's name.

    Raises:
        GameError: It cannot.
    """
    if not isinstance(package, str) or not PACKAGE.fullmatch(package) or len(package) > PACKAGE_CHARS_MAX:
        raise GameError(
            f"{package!r} cannot be a GMCP package: write words with dots between, as in Char.Vitals, "
            f"{PACKAGE_CHARS_MAX} characters at most."
        )
    for own in OWN:
        if f"{package.casefold()}.".startswith(f"{own}."):
            raise GameError(f"the package {package} is the server's own, which no game sends. Choose another name.")


def _check(package: str, data: object, depth: int = 0) -> None:
    match data:
        case None | bool() | int() | str():
            return
        case float() if math.isfinite(data):
            return
        case list() | tuple() if depth < 32:
            for item in data:
                _check(package, item, depth + 1)
        case dict() if depth < 32:
            for key, item in data.items():
                if not isinstance(key, str):
                    _refuse(package, key, "which cannot be a key: keys are text")
                _check(package, item, depth + 1)
        case _:
            _refuse(package, data, "which is no plain data: numbers, text, booleans, None, lists and dicts of these")


def _refuse(package: str, value: object, why: str) -> NoReturn:
    raise GameError(f"the data of {package} holds {value!r:.80}, {why}. Of a row, a player or a set, pass the parts.")
