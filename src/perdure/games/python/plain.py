"""Plain data: what timers, questions and requests carry until their handler is called, whatever happens between."""

from __future__ import annotations

import msgspec

from perdure.errors import GameError
from perdure.games.python.api import Player


def encode_plain(args: tuple[object, ...]) -> bytes:
    """Plain arguments, encoded.

    Raises:
        GameError: One of them would not come back as it went.
    """
    for value in args:
        _check(value)
    return msgspec.msgpack.encode(args)


def _check(value: object) -> None:
    match value:
        case None | bool() | int() | float() | str() | bytes():
            return
        case list():
            for item in value:
                _check(item)
        case dict() if all(type(key) in (str, int) for key in value):
            for item in value.values():
                _check(item)
        case Player():
            raise GameError(
                f"a Player cannot wait: they may be gone by then. Pass {value}.id, and use self.room.players.get(id)."
            )
        case _:
            raise GameError(
                f"{value!r} cannot wait, because it is no plain data (str, int, float, bool, bytes, None, lists and "
                f"dicts of these). Pass the key of a row instead."
            )
