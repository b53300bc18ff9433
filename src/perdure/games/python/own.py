"""What Perdure keeps in a room of a Python game beside the author's tables, and the one command that is its own.

`@reload` belongs to the server, not to the game: a game can neither see it nor take it away. The binding asks
the host's service about it, as a game asks the outside, and the answer is shown to who typed it.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from perdure.games.python.api import Player
from perdure.games.python.plain import encode_plain
from perdure.room.record import Answered, Request
from perdure.room.tables import Row, TableSpec

QUESTIONS, INTERVALS, BEGUN = "perdure.questions", "perdure.intervals", "perdure.begun"

RELOAD_WORD = "@reload"
RELOAD_SERVICE = "perdure:reload"
RELOAD_HANDLER = "perdure.reload"
"""The handler of the service's answer: the only one that is no author's method."""
RELOAD_TIMEOUT_US = 600_000_000
"""Ten minutes: a reload waits for those before it. Whoever asked is told when it took longer."""


class Question(Row):
    """A question that waits for the next line of the session that is the row's key."""

    handler: str
    args: bytes


class Interval(Row):
    """The interval for which the timer of the handler that is the row's key was set."""

    every_us: int


class Begun(Row):
    """The module that is the row's key had its `start` in this room. The key "" says that this is kept at all."""


TABLES: Mapping[str, TableSpec] = {
    name: TableSpec(name, row) for name, row in ((QUESTIONS, Question), (INTERVALS, Interval), (BEGUN, Begun))
}


def is_reload(line: str) -> bool:
    """Whether a player's line is Perdure's own, and not the game's."""
    return line.split(maxsplit=1)[:1] == [RELOAD_WORD]


def reload_request(player: Player, session: str, line: str) -> Request:
    """What the host is asked: (player's name, role, the words after @reload).

    The service looks at the role, so whoever may not is answered as well, and is in the event log.
    """
    args = encode_plain((player.name, player.role, line.split()[1:]))
    return Request(RELOAD_SERVICE, args, RELOAD_HANDLER, encode_plain((session,)), RELOAD_TIMEOUT_US, False)


def reload_answer(cause: Answered) -> str:
    """What the one who typed @reload is told."""
    match cause.status:
        case "ok" | "error":
            return str(msgspec.msgpack.decode(cause.body))
        case "timeout":
            return "The reload is not done yet. What comes of it: perdure events"
        case _:
            return "The server was interrupted while it reloaded. What came of it: perdure events"
