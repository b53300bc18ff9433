"""Mail between rooms: effects whose service is another room (H6).

A letter stays an unacknowledged effect of its source until its target has it durably. After a recovery of
either room everything unacknowledged is carried again, and the target's `mail_seen` tells what it has.
Letters of one source are carried in the order of their numbers. Numbers may have a gap, where a room's
history was lost: the target's, with letters that it had acknowledged, or the source's, whose new branch
numbers anew, from above.
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
        """Carry a durable effect in this turn of the loop or the next. Without a target it waits in its source."""
        if source in self._rooms:
            self._rooms[source].released[service] = number
        self._carry_soon(Letter(source, service.removeprefix(SERVICE), number, body))

    def _carry_soon(self, letter: Letter) -> None:
        if not self._letters:
            self._loop.call_soon(self._carry)
        self._letters.append(letter)

    def post_again(self) -> None:
        """Carry everything that is durable and not acknowledged, in order: a room has (come) back."""
        letters = [
            Letter(id, service.removeprefix(SERVICE), number, body)
            for id, running in self._rooms.items()
            for service, effects in running.room.effects.items()
            for number, body in effects.pending
            if number <= running.released.get(service, 0)
        ]
        if self._letters:  # all of them are among these, and would overtake what their target missed
            self._letters.clear()
            self._letters.extend(letters)
        else:
            for letter in letters:
                self._carry_soon(letter)

    def arrived(self, running: Running, mail: Mailed) -> bool:
        """Whether the target may apply this mail now; one that it has is acknowledged once that is durable."""
        seen = running.room.mail_seen.get(mail.source, 0)
        if mail.number <= seen and running.end.quiescent:
            self.applied(mail.source, running.room.id, mail.number)
        return mail.number > seen

    def applied(self, source: str, target: str, number: int) -> None:
        """The target has this letter, and those before it, durably."""
        if source in self._rooms:
            self._rooms[source].room.acknowledge_effect(SERVICE + target, number)

    def _carry(self) -> None:
        letters, self._letters = self._letters, deque()
        for letter in letters:
            if letter.target in self._rooms:
                self._deliver(self._rooms[letter.target], Mailed(letter.source, letter.number, letter.body))
