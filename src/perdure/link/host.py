"""The host's end of the link for one room: rules H1 to H5 of the protocol, without input or output.

Whatever leaves the room leaves through one queue, in order: the messages of a record wait until it is
durable, and everything said after it (an acknowledgement given again, an announcement to a gateway)
waits behind it. So nothing that a gateway hears is ahead of the journal.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable

import msgspec

from perdure.link.messages import Ack, EventSent, Message, Out, OutAck, RoomUp, SeatGone
from perdure.room.machine import Ran, Room, Sent
from perdure.room.record import Cause, Event, Gone
from perdure.room.seats import Stage

Link = Hashable
Send = Callable[[Link, Message], None]


def gateway_of(session: str) -> tuple[str, int]:
    """(gateway, gateway epoch) of a session id ``GATEWAY.EPOCH.NUMBER``."""
    gateway, epoch, _ = session.split(".")
    return gateway, int(epoch)


class Release(msgspec.Struct, frozen=True):
    """What a record lets out once it is durable: outputs, and the acknowledgement of the event that caused it."""

    epoch: int
    cause: Cause
    sent: list[Sent]


class Announcement(msgspec.Struct, frozen=True):
    """The room and the outboxes of a gateway's seats, as of the hello."""

    gateway: str
    link: Link
    up: RoomUp
    outs: list[Out]


class Saying(msgspec.Struct, frozen=True):
    """An acknowledgement given again."""

    link: Link
    message: Message


Waiting = Release | Announcement | Saying


class HostEnd:
    """One running room and the gateways that know of it.

    Args:
        room: The room; owned by the caller, who runs the causes that are returned here.
        send: Called with (link, message).
    """

    def __init__(self, room: Room, send: Send) -> None:
        self.room = room
        self._send = send
        self._gateways: dict[str, Link] = {}
        self._epochs: dict[str, int] = {}
        self._announced: set[Link] = set()
        self._queue: deque[Waiting] = deque()

    # -- gateways come and go ------------------------------------------------------------------------

    def gateway_up(self, gateway: str, epoch: int, link: Link) -> list[Cause]:
        """A gateway said hello: announce the room to it (H4). Returns the ends of seats it no longer has.

        The hello of an earlier incarnation, left in its link, is ignored.
        """
        if epoch < self._epochs.get(gateway, epoch):
            return []
        self._gateways[gateway], self._epochs[gateway] = link, epoch
        theirs, of_now = f"{gateway}.", f"{gateway}.{epoch}."  # with ten thousand seats, names are not taken apart
        seats = {s: seat for s, seat in self.room.seats.items() if s.startswith(theirs)}
        ended: list[Cause] = []
        for session, seat in [(s, seats[s]) for s in seats if not s.startswith(of_now)]:
            if gateway_of(session)[1] < epoch:
                del seats[session]
                ended += self._forgotten(session, seat.j)
        up = RoomUp(self.room.id, self.room.epoch, self.room.branch, {s: (t.j, t.applied) for s, t in seats.items()})
        outs = [
            Out(self.room.id, self.room.epoch, [(session, seat.j, m)], output)
            for session, seat in seats.items()
            for m, output in seat.outbox
        ]
        self._enqueue(Announcement(gateway, link, up, outs))
        return ended

    def gateway_lost(self, link: Link) -> None:
        """The link is gone. Seats stay: the gateway may come back."""
        self._announced.discard(link)
        self._gateways = {gateway: known for gateway, known in self._gateways.items() if known != link}

    def gateway_dead(self, gateway: str) -> list[Cause]:
        """The gateway did not come back in time: the ends of its seats."""
        return [
            cause
            for session, seat in list(self.room.seats.items())
            if gateway_of(session)[0] == gateway
            for cause in self._forgotten(session, seat.j)
        ]

    # -- messages ------------------------------------------------------------------------------------

    def event(self, link: Link, sent: EventSent) -> list[Cause]:
        """H1: the causes to run now, in order; empty when the event is applied already or not acceptable.

        What an earlier incarnation of a gateway left in its link is not acceptable: its sessions are gone. Nor is
        what was sent to an earlier ownership: the room may have applied it elsewhere, and forgotten the seat.
        """
        if sent.epoch != self.room.epoch or self._link_of(sent.session) != link:
            return []
        seat = self.room.seats.get(sent.session)
        if seat is not None and sent.j == seat.j and sent.n <= seat.applied:
            ack = Ack(self.room.id, self.room.epoch, sent.session, seat.j, seat.applied)
            self._enqueue(Saying(link, ack))
            return []
        event = Event(sent.session, sent.j, sent.n, sent.body)
        if sent.n == 0 and (seat is None or seat.j < sent.j):
            replaced: list[Cause] = [] if seat is None else self._forgotten(sent.session, seat.j)
            return [*replaced, event]
        if seat is not None and sent.j == seat.j and not seat.closed and sent.n == seat.applied + 1:
            return [event]
        return []

    def outack(self, ack: OutAck) -> None:
        """H3: outputs were shown; a seat that went away with its last output is removed (H5)."""
        seat = self.room.seats.get(ack.session)
        if seat is None or seat.j != ack.j:
            return
        seat.acknowledge(ack.m)
        if seat.stage is Stage.MOVED and not seat.outbox:
            self.room.forget_seat(ack.session)

    def gone(self, gone: SeatGone) -> list[Cause]:
        """The gateway no longer has this seat: forget it, or return its end if the room still thinks it open."""
        return self._forgotten(gone.session, gone.j)

    def still_due(self, cause: Cause) -> bool:
        """Whether a cause that was returned here and had to wait is still to be run.

        A seat may have ended twice over, or have been closed or replaced, while its room was paused.
        """
        if not isinstance(cause, Gone):
            return True
        seat = self.room.open.get(cause.session)
        return seat is not None and seat.j == cause.j

    def ran(self, ran: Ran) -> None:
        """A callback ran: queue what its record releases. Call `durable` when the record is."""
        assert ran.record is not None
        self._queue.append(Release(self.room.epoch, ran.record.cause, ran.sent))

    def durable(self) -> None:
        """The oldest record that waits is durable: release it, and all that was said behind it (H2)."""
        release = self._queue.popleft()
        assert isinstance(release, Release), "said out of order"
        self._let_out(release)
        while self._queue and not isinstance(self._queue[0], Release):
            self._let_out(self._queue.popleft())

    @property
    def quiescent(self) -> bool:
        """Whether nothing waits for the journal: the room may be captured."""
        return not self._queue

    # -- the queue -----------------------------------------------------------------------------------

    def _enqueue(self, waiting: Waiting) -> None:
        if self._queue:
            self._queue.append(waiting)
        else:
            self._let_out(waiting)

    def _let_out(self, waiting: Waiting) -> None:
        match waiting:
            case Release():
                self._release(waiting)
            case Announcement(gateway=gateway, link=link) if self._gateways.get(gateway) == link:
                self._announced.add(link)
                self._send(link, waiting.up)
                for out in waiting.outs:
                    self._send(link, out)
            case Saying(link=link, message=message) if link in self._announced:
                self._send(link, message)

    def _release(self, release: Release) -> None:
        room, epoch, cause = self.room.id, release.epoch, release.cause
        for output, seats in release.sent:
            for link, reached in self._by_link(seats).items():
                self._send(link, Out(room, epoch, reached, output))
        if isinstance(cause, Event):
            link = self._link_of(cause.session)
            if link is not None:
                self._send(link, Ack(room, epoch, cause.session, cause.j, cause.n))

    def _by_link(self, seats: list[tuple[str, int, int]]) -> dict[Link, list[tuple[str, int, int]]]:
        reached: dict[Link, list[tuple[str, int, int]]] = {}
        for seat in seats:
            link = self._link_of(seat[0])
            if link is not None:
                reached.setdefault(link, []).append(seat)
        return reached

    def _link_of(self, session: str) -> Link | None:
        """The announced link of the session's gateway; None = it will hear all when it is announced."""
        link = self._gateways.get(session[: session.index(".")])
        return link if link in self._announced else None

    def _forgotten(self, session: str, j: int) -> list[Cause]:
        seat = self.room.seats.get(session)
        if seat is None or seat.j != j:
            return []
        if seat.closed:
            self.room.forget_seat(session)
            return []
        return [Gone(session, j)]
