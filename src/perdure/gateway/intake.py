"""What clients sent, taken as far as they may go on.

A client whose tail is full, whose login is being checked or who types too fast is read no further than what is kept
of it: one read of typed-ahead lines; TCP holds it back, and nothing is lost. One that acknowledges is read on, for
its acknowledgements must be seen, and may have `IN_FLIGHT_MAX` lines on their way. With more of them, one that types
too fast is held back like everybody; one whose tail is full is let go, for only what it sends could make room there.

What is no line is taken at once, and counted afterwards: whoever sent too much of it is not read until its address
may send more. A read is 4 KiB, which bounds what that may be in arrears.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from perdure.gateway.client import BUFFER_BYTES_MAX, Client
from perdure.gateway.limits import Limits
from perdure.gateway.throttle import Rates
from perdure.gateway.wire import (
    ASIDES_PER_LINE,
    ClientEvent,
    Credentials,
    Line,
    LineTooLong,
    PackagesWanted,
    SettingsWanted,
)

TYPED = (Line, LineTooLong, Credentials)
"""Events that wait for those before them to be done."""
COUNTED = (*TYPED, SettingsWanted, PackagesWanted)
"""Events that count as lines: they cost the server something."""
IN_FLIGHT_MAX = 128
"""Events of a client that acknowledges which wait to be taken."""


class IntakeOwner(Protocol):
    """Whom the intake asks and tells."""

    def may_type(self, client: Client) -> bool:
        """Whether something that the client's player typed can be taken now."""

    def take(self, client: Client, event: ClientEvent) -> None:
        """The client's next event."""

    def flooded(self, client: Client) -> None:
        """The client sent more at once than is kept."""

    def written(self, client: Client) -> None:
        """There may be something for the client."""


class Intake:
    """The input of all clients.

    Args:
        limits: What an address may send.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: Limits, owner: IntakeOwner) -> None:
        self._loop, self._owner = loop, owner
        self._lines, self._asides = Rates(limits), Rates(limits, ASIDES_PER_LINE)
        self._waiting: set[Client] = set()
        self._slowed: set[Client] = set()
        self._unread: set[Client] = set()

    def received(self, client: Client) -> None:
        """The client sent something."""
        self.pump(client)
        if client.asides and client.open:  # counted for the address that a page's request has just named
            self._count_asides(client)

    def pump(self, client: Client) -> None:
        """Take what the client sent, as far as it may go on; then read on, or not."""
        while client.open and client.pending and self._ready(client, client.pending[0]):
            self._owner.take(client, client.pending.popleft())
        if not client.open:
            self._waiting.discard(client)
            return
        # Who waits is read once more and no further, so that a departure is seen while nothing was typed ahead.
        # Who does not read is not read: replies to what they send would pile up here.
        waits, stuck = bool(client.pending), client.buffered >= BUFFER_BYTES_MAX
        too_many = len(client.pending) > IN_FLIGHT_MAX
        read_on = client.wire.acknowledges and not too_many
        client.read(not stuck and (read_on or not waits) and client not in self._unread)
        if waits or stuck:
            self._waiting.add(client)
        else:
            self._waiting.discard(client)
        if too_many and client.wire.acknowledges and client not in self._slowed:
            self._owner.flooded(client)

    def waits(self, client: Client) -> bool:
        """Whether something of the client's waits to be taken, or the client to be read."""
        return client in self._waiting

    def pump_all(self) -> None:
        """Somebody's tail may have room again."""
        for client in list(self._waiting):
            self.pump(client)

    def forget(self, client: Client) -> None:
        """It is gone."""
        self._waiting.discard(client)

    def _ready(self, client: Client, event: ClientEvent) -> bool:
        if isinstance(event, TYPED) and not self._owner.may_type(client):
            return False
        return not isinstance(event, COUNTED) or (client not in self._slowed and self._in_rate(client))

    def _in_rate(self, client: Client) -> bool:
        """Whether the client's address may type one more line now; if not, it is taken as soon as it may."""
        wait_s = self._lines.wait_s(client.address, self._loop.time())
        if wait_s > 0:
            self._slowed.add(client)
            self._loop.call_later(wait_s, self._again, client, self._slowed)
        return wait_s <= 0

    def _count_asides(self, client: Client) -> None:
        """Count what was no line; whoever sent too much of it is read again as soon as their address may."""
        count, client.asides = client.asides, 0
        wait_s = self._asides.spent(client.address, count, self._loop.time())
        if wait_s > 0:
            self._unread.add(client)
            self._loop.call_later(wait_s, self._again, client, self._unread)
            client.read(False)

    def _again(self, client: Client, waited: set[Client]) -> None:
        waited.discard(client)
        if client.open:
            self.pump(client)
            self._owner.written(client)
