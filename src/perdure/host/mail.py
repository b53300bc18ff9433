"""Mail between rooms: effects whose service is another room (H6).

A letter stays an unacknowledged effect of its source until its target has it durably. After a recovery of
either room everything unacknowledged is carried again, and the target's `mail_seen` tells what it has.
Letters of one source are carried in the order of their numbers. Numbers may have a gap, where a room's
history was lost: the target's, with letters that it had acknowledged, or the source's, whose new branch
numbers anew, from above.

A target that does not run here may run at a neighbouring host, while rooms move. A gap that is made on such a way
must not be taken for lost history: a letter that is sent there names the one before it, and without that one it is
not applied. Whenever a room has come to a host, everything unacknowledged is sent to it from the beginning.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from perdure.host.running import Running
from perdure.room.record import Mailed

SERVICE = "room:"
"""Services are named ``room:ID``; there are no others yet."""


class Letter(NamedTuple):
    """Effect `number` of room `source` for room `target`.

    Attributes:
        after: The letter that was sent before it, which the target must have; 0 for the first.
    """

    source: str
    target: str
    number: int
    body: bytes
    after: int = 0


class Mail:
    """Carries letters between the rooms of one host, and to and from the hosts beside it.

    Args:
        rooms: The running rooms, by id.
        deliver: Called with (target, letter): run it, now or when the room may run.

    Attributes:
        elsewhere: Called with letters for a room that is not here; whether there was anybody to be told.
        tell_applied: Called with (source, target, number) of a letter whose source is not here.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        rooms: Mapping[str, Running],
        deliver: Callable[[Running, Letter], None],
    ) -> None:
        self._loop, self._rooms, self._deliver = loop, rooms, deliver
        self._letters: deque[Letter] = deque()
        self._sent: dict[tuple[str, str], int] = {}
        self.elsewhere: Callable[[list[Letter]], bool] = lambda _: False
        self.tell_applied: Callable[[str, str, int], object] = lambda *_: None

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

    def arrived(self, running: Running, letter: Letter) -> Mailed | None:
        """The letter as an input of its target, if that may apply it now; None if it has it, or lacks the one before.

        One that it has is acknowledged once that is durable.
        """
        seen = running.room.mail_seen.get(letter.source, 0)
        if letter.number <= seen and running.end.quiescent:
            self.applied(letter.source, running.room.id, letter.number)
        due = letter.number > seen >= letter.after
        return Mailed(letter.source, letter.number, letter.body) if due else None

    def applied(self, source: str, target: str, number: int) -> None:
        """The target has this letter, and those before it, durably."""
        if source in self._rooms:
            self._rooms[source].room.acknowledge_effect(SERVICE + target, number)
        else:
            self.tell_applied(source, target, number)

    # -- between hosts -------------------------------------------------------------------------------

    def take_in(self, letters: Iterable[Letter]) -> None:
        """Letters from a room of another host. Those for rooms that are not here are that host's to send again."""
        for letter in letters:
            if letter.target in self._rooms:
                self._deliver(self._rooms[letter.target], letter)

    def moved(self, room: str) -> None:
        """The room came to another host or left this one: what was sent to it may have got lost on the way."""
        self._sent = {pair: number for pair, number in self._sent.items() if room not in pair}

    def _carry(self) -> None:
        letters, self._letters = self._letters, deque()
        for letter in letters:
            if letter.target in self._rooms:
                self._deliver(self._rooms[letter.target], letter)
            else:
                self._send(letter.source, letter.target)

    def _send(self, source: str, target: str) -> None:
        """Send another host what it was not sent of this source's letters for this target."""
        running = self._rooms.get(source)
        service = SERVICE + target
        if running is None or service not in running.room.effects:
            return
        sent, released = self._sent.get((source, target), 0), running.released.get(service, 0)
        pending = running.room.effects[service].pending
        due = [(n, body) for n, body in pending if sent < n <= released]
        before = [sent, *(n for n, _ in due)]
        letters = [Letter(source, target, n, body, after) for (n, body), after in zip(due, before, strict=False)]
        if letters and self.elsewhere(letters):
            self._sent[source, target] = letters[-1].number
