"""The gateways of a host: which of them are there, what their players do, and who reads too slowly.

What a gateway sends for a room is done at once, or waits in order: until the room may run, and until the seat's outbox
has room again (H3).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from perdure.host.running import Running
from perdure.link.messages import EventSent, OutAck, SeatGone
from perdure.room.machine import Ran
from perdure.room.record import Cause, Gone, Started

OUTBOX_BYTES_FULL = 64 * 1024
"""A seat with more unread text than this has its events held (H3)."""
OUTBOX_BYTES_MAX = 256 * 1024
"""A seat with more unread text than this is ended."""
TOO_SLOW = "You were disconnected: your connection takes text too slowly for what happens here."


class Gateways:
    """What gateways say to the rooms.

    Args:
        rooms: Those that run here.
        may_run: Whether a room may run now.
        when_open: Does something with a room now, or in its turn when the room may run.
        run: Runs a cause in a room now.
        offer: Runs it now, or when the room may run, if it is still due then.

    Attributes:
        known: Those that said hello, and on which link: name -> (epoch, link).
    """

    def __init__(
        self,
        rooms: Mapping[str, Running],
        *,
        may_run: Callable[[Running], bool],
        when_open: Callable[[Running, Callable[[], None]], None],
        run: Callable[[Running, Cause], None],
        offer: Callable[[Running, Cause], None],
    ) -> None:
        self._rooms, self._may_run, self._when_open, self._run, self._offer = rooms, may_run, when_open, run, offer
        self.known: dict[str, tuple[int, object]] = {}

    def up(self, gateway: str, epoch: int, link: object) -> None:
        """A gateway said hello on this link."""
        self.known[gateway] = (epoch, link)
        for running in list(self._rooms.values()):
            for cause in running.end.gateway_up(gateway, epoch, link):
                self._offer(running, cause)

    def lost(self, link: object) -> None:
        """The link is gone; the gateway may come back, or a new one with a higher epoch."""
        self.known = {name: known for name, known in self.known.items() if known[1] != link}
        for running in self._rooms.values():
            running.end.gateway_lost(link)

    def dead(self, gateway: str) -> None:
        """The gateway did not come back in time: its sessions are gone."""
        for running in list(self._rooms.values()):
            for cause in running.end.gateway_dead(gateway):
                self._offer(running, cause)

    def announce(self, running: Running) -> None:
        """Tell every gateway that the room runs here, and send what was not acknowledged (H4)."""
        for gateway, (epoch, link) in self.known.items():
            for cause in running.end.gateway_up(gateway, epoch, link):
                self._offer(running, cause)

    def receive(self, link: object, message: EventSent | OutAck | SeatGone) -> None:
        """A gateway's message to one room. A room that does not run here acknowledges nothing."""
        running = self._rooms.get(message.room)
        if running is None:
            return
        match message:
            case EventSent():
                self._when_open(running, lambda: self._event(running, link, message))
            case OutAck():
                running.replayed.pop(message.session, None)
                running.end.outack(message)
                self._read_again(running, message.session)
            case SeatGone():
                running.waiting.pop(message.session, None)
                for cause in running.end.gone(message):
                    self._offer(running, cause)

    def end_slow_readers(self, running: Running, ran: Ran) -> None:
        """End those who had been sent too much before they were sent this."""
        for _, numbered in ran.sent:
            for session, j, _ in numbered:
                seat = running.room.open.get(session)
                if seat is not None and running.unread(session, seat) > OUTBOX_BYTES_MAX:
                    self._offer(running, Gone(session, j, TOO_SLOW))

    def _event(self, running: Running, link: object, sent: EventSent) -> None:
        if self._unread(running, sent.session):
            running.waiting.setdefault(sent.session, deque()).append((link, sent))
            return
        if sent.n == 0 and not running.room.started:
            self._run(running, Started())
        for cause in running.end.event(link, sent):
            if not self._may_run(running):
                running.held.appendleft(lambda: self._event(running, link, sent))
                return
            self._run(running, cause)

    def _read_again(self, running: Running, session: str) -> None:
        """H3: the seat's outbox may have room again for the events that it held."""
        waiting = running.waiting.pop(session, None)
        while waiting:
            full = self._unread(running, session)
            if full or not self._may_run(running):
                running.waiting[session] = waiting
                if not full:  # before all that is held: later events of this session are among it
                    running.held.appendleft(lambda: self._read_again(running, session))
                return
            self._event(running, *waiting.popleft())

    def _unread(self, running: Running, session: str) -> bool:
        seat = running.room.open.get(session)
        return seat is not None and running.unread(session, seat) > OUTBOX_BYTES_FULL
