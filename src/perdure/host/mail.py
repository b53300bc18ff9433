"""Mail between rooms: effects whose service is another room (H6).

A letter stays an unacknowledged effect of its source until its target has it durably. After a recovery of
either room everything unacknowledged is carried again, and the target's `mail_seen` tells what it has.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

from perdure.host.running import Running
from perdure.room.record import Mailed

SERVICE = "room:"
"""Services are named ``room:ID``; there are no others yet."""


class Letter(NamedTuple):
    """Effect `number` of room `source` for room `target`."""

    source: str
    target: str
    number: int
    body: bytes


class Mail:
    """Carries letters between the rooms of one host.

    Args:
        rooms: The running rooms, by id.
        deliver: Called with (target, mail): run it, now or when the room may run.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        rooms: Mapping[str, Running],
        deliver: Callable[[Running, Mailed], None],
    ) -> None:
        self._loop, self._rooms, self._deliver = loop, rooms, deliver
        self._letters: deque[Letter] = deque()

    def post(self, source: str, service: str, number: int, body: bytes) -> None:
        """Carry an effect in this turn of the loop or the next. What has no running target waits in its source."""
        if not self._letters:
            self._loop.call_soon(self._carry)
        self._letters.append(Letter(source, service.removeprefix(SERVICE), number, body))

    def post_again(self) -> None:
        """Carry everything that is not acknowledged: a room has (come) back."""
        for id, running in self._rooms.items():
            for service, effects in running.room.effects.items():
                for number, body in effects.pending:
                    self.post(id, service, number, body)

    def arrived(self, running: Running, mail: Mailed) -> bool:
        """Whether the target may apply this mail now; one that it has is acknowledged once that is durable."""
        seen = running.room.mail_seen.get(mail.source, 0)
        if mail.number <= seen and running.end.quiescent:
            self.applied(mail.source, running.room.id, mail.number)
        return mail.number == seen + 1

    def applied(self, source: str, target: str, number: int) -> None:
        """The target has this letter, and those before it, durably."""
        if source in self._rooms:
            self._rooms[source].room.acknowledge_effect(SERVICE + target, number)

    def _carry(self) -> None:
        letters, self._letters = self._letters, deque()
        for letter in letters:
            if letter.target in self._rooms:
                self._deliver(self._rooms[letter.target], Mailed(letter.source, letter.number, letter.body))
