"""What Perdure keeps in a room of a Python game beside the author's tables, and the commands that are its own.

`@reload` and `@copyover` belong to the server, not to the game: a game can neither see them nor take them away.
The binding asks the host's service about each, as a game asks the outside, and the answer is shown to who typed it.
Services of the host are beyond an author's `room.ask`: what a player may do is said here, and by nobody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from perdure.games.python.api import Player
from perdure.games.python.plain import encode_plain
from perdure.room.record import Answered, Request
from perdure.room.tables import Row, TableSpec

QUESTIONS, INTERVALS, BEGUN = "perdure.questions", "perdure.intervals", "perdure.begun"

SERVICES = "perdure:"
"""What the host's own services begin with; no function of a game does."""
RELOAD_SERVICE = f"{SERVICES}reload"
"""Called with (room, player's name, role, words)."""
COPYOVER_SERVICE = f"{SERVICES}copyover"
"""Called with (room, player's name, role, words, key). The key is the same when another host asks again."""


class OwnCommand(NamedTuple):
    """A command of the server's, which every room has.

    Attributes:
        service: What the host is asked.
        handler: Of the service's answer; no author's method has such a name.
        timeout_us: Whoever asked is told when it takes longer.
        idempotent: Whether the host that has the room next asks again. The request is then told its key.
        late, interrupted: What is said when no answer came.
    """

    service: str
    handler: str
    timeout_us: int
    idempotent: bool
    late: str
    interrupted: str


COMMANDS: Mapping[str, OwnCommand] = {
    "@reload": OwnCommand(
        RELOAD_SERVICE,
        "perdure.reload",
        600_000_000,  # ten minutes: a reload waits for those before it
        idempotent=False,
        late="The reload is not done yet. What comes of it: perdure events",
        interrupted="The server was interrupted while it reloaded. What came of it: perdure events",
    ),
    "@copyover": OwnCommand(
        COPYOVER_SERVICE,
        "perdure.copyover",
        7_200_000_000,  # two hours: a countdown, a build and a watched canary may take one each
        idempotent=True,
        late="The copyover is not done yet. What comes of it: @copyover history",
        interrupted="The server was interrupted meanwhile. What came of it: @copyover history",
    ),
}
"""First word of a player's line -> whose it is."""
_BY_HANDLER = {command.handler: command for command in COMMANDS.values()}


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


def own_command(line: str) -> OwnCommand | None:
    """The command of the server's that a player's line is; None for all lines that are the game's."""
    return COMMANDS.get(next(iter(line.split(maxsplit=1)), ""))


def is_own(handler: str) -> bool:
    """Whether a request's handler is one of the server's."""
    return handler in _BY_HANDLER


def own_request(command: OwnCommand, player: Player, session: str, line: str, key: str) -> Request:
    """What the host is asked.

    The service looks at the role, so whoever may not is answered as well, and is in the event log.

    Args:
        key: Names this request for ever: ``ROOM/REQUEST``.
    """
    asked: tuple[object, ...] = (player.name, player.role, line.split()[1:])
    args = encode_plain((*asked, key) if command.idempotent else asked)
    context = encode_plain((session,))
    return Request(command.service, args, command.handler, context, command.timeout_us, command.idempotent)


def own_answer(handler: str, cause: Answered) -> str:
    """What the one who typed the command is told."""
    match cause.status:
        case "ok" | "error":
            return str(msgspec.msgpack.decode(cause.body))
        case "timeout":
            return _BY_HANDLER[handler].late
        case _:
            return _BY_HANDLER[handler].interrupted
