"""The gateway's end of the link: rules G1 to G5 of the protocol, without input or output.

Every session has one current seat. What its player does is numbered and kept in the seat's tail until
the room has it durably; what the room says is shown once, in order, and acknowledged. A room that is
dead or moving acknowledges nothing, and the tail waits (G6): there is no state for that.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

import msgspec

from perdure.errors import ProtocolError
from perdure.link.messages import (
    VERSION,
    VERSION_LOWEST,
    Ack,
    EventSent,
    GatewayHello,
    HostHello,
    Message,
    Out,
    OutAck,
    RoomUp,
    SeatGone,
    agreed_version,
)
from perdure.room.record import End, EventBody, Go, Input, Join, Leave, Output, Refused, Resize, Text

Link = Hashable

TAIL_EVENTS_MAX = 256
"""Events of one seat that may wait; at the bound nothing more that its player types is taken."""
NO_SEAT = (0, -1)
"""(j, applied n) of a session that a room does not know."""
HISTORY_LOST = "The server lost its last moments and continues from an earlier one. Look around before you go on."


class Presence(msgspec.Struct):
    """A session's current seat, as its gateway sees it.

    Attributes:
        room, j: Which seat.
        next_n: Number of the next event.
        last: Number of the last output accepted.
        shown: Number of the last output that reached the client's socket; at most `last`.
        tail: (n, event) that the room has not acknowledged, by rising n.
        join: Event 0, as the next seat will need it again.
        leaving: Whether the session has left: it ends when its tail is empty.
    """

    room: str
    j: int
    join: Join
    next_n: int = 1
    last: int = 0
    shown: int = 0
    tail: list[tuple[int, EventBody]] = []
    leaving: bool = False


class Route(msgspec.Struct):
    """Where a room runs. `link` is None while nobody does."""

    epoch: int
    branch: int
    link: Link | None


class GatewayEnd:
    """All sessions of one gateway.

    Args:
        gateway, epoch: Who this is; a session's id begins with both.
        fallback: The room that takes players whom another room refuses.
        send: Called with (link, message).
        show: Called with (session, j, m, text): give it to the client, then call `shown`.
        notify: Called with (session, text): text outside the numbering.
        over: Called with (session, reason): the session has ended and is forgotten.
    """

    def __init__(
        self,
        gateway: str,
        epoch: int,
        *,
        fallback: str,
        send: Callable[[Link, Message], None],
        show: Callable[[str, int, int, Text], None],
        notify: Callable[[str, str], None],
        over: Callable[[str, str], None],
    ) -> None:
        self.gateway, self.epoch, self.fallback = gateway, epoch, fallback
        self.sessions: dict[str, Presence] = {}
        self.routes: dict[str, Route] = {}
        self._rooms: dict[str, dict[str, Presence]] = {}  # who is where: an announcement of a room concerns only them
        self._hosts: dict[str, Link] = {}
        self._builds: dict[Link, str] = {}
        self._replaced: set[Link] = set()
        self._send, self._show, self._notify, self._over = send, show, notify, over

    # -- the players' side -------------------------------------------------------------------------

    def enter(self, session: str, room: str, join: Join) -> None:
        """Begin a session with its first seat, in `room`."""
        presence = Presence(room, 1, join)
        self.place(session, presence)
        self._append(session, presence, 0, join)

    def place(self, session: str, presence: Presence) -> None:
        """Take a session as it stands."""
        self.sessions[session] = presence
        self._rooms.setdefault(presence.room, {})[session] = presence

    def submit(self, session: str, body: Input | Resize) -> None:
        """The player did something. It will be applied exactly once, in this order (G1)."""
        presence = self.sessions[session]
        if isinstance(body, Resize):
            presence.join = Join(presence.join.who, body.columns, body.rows, body.screenreader)
        self._append_next(session, presence, body)

    def leave(self, session: str, reason: str) -> None:
        """The player leaves; `over` follows when the room knows."""
        presence = self.sessions[session]
        if not presence.leaving:
            presence.leaving = True
            self._append_next(session, presence, Leave(reason))

    def full(self, session: str) -> bool:
        """Whether the tail is at its bound: the client must not be read now."""
        return len(self.sessions[session].tail) >= TAIL_EVENTS_MAX

    def build(self, room: str) -> str:
        """The build of the host that runs the room; "" while nobody does."""
        route = self.routes.get(room)
        return "" if route is None else self._builds.get(route.link, "")

    def shown(self, session: str, j: int, m: int) -> None:
        """Output m of that seat has gone to the client's socket, and all before it."""
        presence = self.sessions.get(session)
        if presence is None or presence.j != j or m <= presence.shown:
            return
        presence.shown = m
        self._to_room(presence.room, OutAck(presence.room, session, j, m))

    # -- the hosts' side ---------------------------------------------------------------------------

    def connected(self, link: Link) -> None:
        """A host is on this link now."""
        self._send(link, GatewayHello(VERSION_LOWEST, VERSION, self.gateway, self.epoch))

    def lost(self, link: Link) -> None:
        """The link is gone; what runs behind it is unknown until some host says."""
        self._replaced.discard(link)
        self._builds.pop(link, None)
        self._hosts = {host: known for host, known in self._hosts.items() if known != link}
        self._no_route(link)

    def _no_route(self, link: Link) -> None:
        for route in self.routes.values():
            if route.link == link:
                route.link = None

    def receive(self, link: Link, message: Message) -> None:
        """Follow the protocol. What is left in a link that its host has replaced by another is ignored.

        Raises:
            ProtocolError: The host broke it; close this link.
        """
        if link in self._replaced:
            return
        match message:
            case Out():
                self._out(link, message)
            case Ack():
                self._ack(message)
            case RoomUp():
                self._room_up(link, message)
            case HostHello(lowest=lowest, highest=highest, host=host, build=build):
                agreed_version(lowest, highest)
                self._host_hello(link, host)
                self._builds[link] = build
            case _:
                raise ProtocolError(f"a host sent {type(message).__name__}, which only gateways send")

    def _host_hello(self, link: Link, host: str) -> None:
        """A host that connects again has left its old link, whatever is still to be read from that."""
        old = self._hosts.get(host)
        self._hosts[host] = link
        if old is not None and old != link:
            self._no_route(old)
            self._replaced.add(old)

    def _room_up(self, link: Link, up: RoomUp) -> None:
        """G4: take the route, then bring both sides' seats together."""
        known = self.routes.get(up.room)
        if known is not None and up.epoch < known.epoch:
            return
        self.routes[up.room] = Route(up.epoch, up.branch, link)
        lost_history = known is not None and up.branch > known.branch
        for session, presence in self._unlike(up, lost_history):
            j, applied = up.seats.get(session, NO_SEAT)
            first = presence.tail[0][0] if presence.tail else presence.next_n
            joined = first > 0
            begun = joined or presence.last > 0
            if begun and (lost_history or j != presence.j):
                self._notify(session, HISTORY_LOST)
                self._reseat(session, presence, up.room, after=0)
                continue
            if j == presence.j:
                self._drop_tail(session, presence, applied)
            for n, body in presence.tail:
                self._send(link, EventSent(up.room, up.epoch, session, presence.j, n, body))
        for session, (j, _) in up.seats.items():
            here = self.sessions.get(session)
            if here is None or here.room != up.room or here.j < j:
                self._send(link, SeatGone(up.room, session, j))

    def _out(self, link: Link, out: Out) -> None:
        """G3: each output of the current seat is accepted once, in order."""
        route = self.routes.get(out.room)
        if route is None or out.epoch > route.epoch:
            raise ProtocolError(f"output of room {out.room} at epoch {out.epoch}, which was never announced")
        if out.epoch < route.epoch:
            return
        for session, j, m in out.seats:
            presence = self.sessions.get(session)
            if presence is None or presence.j != j or presence.room != out.room:
                self._send(link, OutAck(out.room, session, j, m))
            elif m <= presence.last:
                if presence.shown:
                    self._send(link, OutAck(out.room, session, j, presence.shown))
            elif m == presence.last + 1:
                presence.last = m
                self._accept(session, presence, m, out.body)
            else:
                raise ProtocolError(f"output {m} of seat ({session}, {j}) in room {out.room} follows {presence.last}")

    def _accept(self, session: str, presence: Presence, m: int, body: Output) -> None:
        room, j = presence.room, presence.j
        match body:
            case Text():
                self._show(session, j, m, body)
            case Go(target=target, through=through):
                self._acknowledge(session, room, j, m)
                self._reseat(session, presence, target, after=through)
            case Refused(reason=reason, through=through) if room != self.fallback:
                self._acknowledge(session, room, j, m)
                self._notify(session, reason)
                self._reseat(session, presence, self.fallback, after=through)
            case Refused(reason=reason) | End(reason=reason):
                self._acknowledge(session, room, j, m)
                self._end(session, presence, reason)

    def _ack(self, ack: Ack) -> None:
        """G2: the room has these events durably. What an earlier owner had, a branch may have lost."""
        route = self.routes.get(ack.room)
        if route is None or ack.epoch != route.epoch:
            return
        presence = self.sessions.get(ack.session)
        if presence is not None and presence.j == ack.j and presence.room == ack.room:
            self._drop_tail(ack.session, presence, ack.n)

    # -- seats -------------------------------------------------------------------------------------

    def _reseat(self, session: str, presence: Presence, room: str, *, after: int) -> None:
        """G5: a new seat in `room`; what was typed ahead, the events beyond `after`, moves with the player."""
        self._leave_room(session, presence)
        self._rooms.setdefault(room, {})[session] = presence
        ahead = [body for n, body in presence.tail if n > after]
        presence.room, presence.j = room, presence.j + 1
        presence.last = presence.shown = 0
        presence.tail = []
        presence.next_n = 1
        self._append(session, presence, 0, presence.join)
        for body in ahead:
            self._append_next(session, presence, body)

    def _drop_tail(self, session: str, presence: Presence, n: int) -> None:
        tail = presence.tail
        count = 0
        while count < len(tail) and tail[count][0] <= n:
            count += 1
        del tail[:count]
        if presence.leaving and not tail:
            self._end(session, presence, "")

    def _end(self, session: str, presence: Presence, reason: str) -> None:
        del self.sessions[session]
        self._leave_room(session, presence)
        self._to_room(presence.room, SeatGone(presence.room, session, presence.j))
        self._over(session, reason)

    def _append_next(self, session: str, presence: Presence, body: EventBody) -> None:
        n = presence.next_n
        presence.next_n = n + 1
        self._append(session, presence, n, body)

    def _append(self, session: str, presence: Presence, n: int, body: EventBody) -> None:
        presence.tail.append((n, body))
        route = self.routes.get(presence.room)
        if route is not None and route.link is not None:
            self._send(route.link, EventSent(presence.room, route.epoch, session, presence.j, n, body))

    def _acknowledge(self, session: str, room: str, j: int, m: int) -> None:
        self._to_room(room, OutAck(room, session, j, m))

    def _to_room(self, room: str, message: Message) -> None:
        route = self.routes.get(room)
        if route is not None and route.link is not None:
            self._send(route.link, message)

    def _leave_room(self, session: str, presence: Presence) -> None:
        here = self._rooms[presence.room]
        del here[session]
        if not here:
            del self._rooms[presence.room]

    def _unlike(self, up: RoomUp, lost_history: bool) -> list[tuple[str, Presence]]:
        """The room's players on whom both sides do not agree, or of whom something is on its way: few of thousands.

        The one who connected first comes first, wherever they have been since.
        """
        players, seats = self._rooms.get(up.room, {}).items(), up.seats
        few = [(s, here) for s, here in players if here.tail or lost_history or seats.get(s, NO_SEAT)[0] != here.j]
        return sorted(few, key=lambda player: (len(player[0]), player[0]))
