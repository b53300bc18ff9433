"""The real ends of the link as functions of values, so that a search can go back and forth in time.

A gateway (`GatewayEnd`) and a running room (`HostEnd` with its `Room`) are frozen into bytes between steps:
the room by its own `capture` and `restore`, so each step of every execution tests those too. A step thaws one
of them, lets it do one thing, and freezes it again; equal steps are made once and remembered.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache
from typing import NamedTuple, cast

import google_crc32c
import msgspec

from perdure.errors import ClaimLost, PerdureError, ProtocolError
from perdure.host.arrivals import Arrivals, Copy
from perdure.host.bases import BaseKey, Bases, Found
from perdure.host.recovery import DeadHosts, Entry, Line, recover
from perdure.host.running import Programs, Running
from perdure.link.gateway import GatewayEnd, Presence, Route
from perdure.link.host import Announcement, HostEnd, Release, Saying
from perdure.link.messages import Ack, EventSent, Message, Out, OutAck, RoomUp, SeatGone
from perdure.movement.move import Arriving, Offer
from perdure.ports import Claim, Owner
from perdure.room.machine import Ran, Room, Sent, unguarded
from perdure.room.record import Cause, Input, Join, Record, Reloaded, TimerFired, Who, decode_record
from perdure.room.tables import Cells
from perdure.snapshot.body import SeatState, read_body, sections
from perdure.store import owners
from perdure.store.tail import JournalTail
from tests.sim.toy import FIRST, GENERATIONS, LAST, Toy

SEED = bytes(16)

_encode = msgspec.msgpack.Encoder().encode
_message: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)
_offer = msgspec.msgpack.Decoder(Offer)


class Violation(Exception):
    """A promise is broken."""


@cache
def read_message(data: bytes) -> Message:
    """A message from a link of the model."""
    return _message.decode(data)


@cache
def read_record(data: bytes) -> Record:
    """A record from a journal of the model."""
    return decode_record(data)


# -- a running room --------------------------------------------------------------------------------


class FrozenRoom(msgspec.Struct, array_like=True):
    """A room and its end of the link. Links are numbers of gateways."""

    id: str
    generation: str
    c: int
    epoch: int
    branch: int
    body: bytes
    gateways: dict[str, int]
    epochs: dict[str, int]
    announced: list[int]
    releases: list[tuple[int, int, Cause, list[Sent]]]
    announcements: list[tuple[int, str, int, RoomUp, list[Out]]]
    sayings: list[tuple[int, int, Ack]]
    records: list[bytes]


class RoomStep(NamedTuple):
    """What a room did: its new value, what it sent as (link, message), and the record that became durable."""

    value: bytes
    sent: tuple[tuple[int, bytes], ...]
    durable: bytes | None = None


_frozen_room = msgspec.msgpack.Decoder(FrozenRoom)


@cache
def look(value: bytes) -> FrozenRoom:
    """A frozen room, to look at."""
    return _frozen_room.decode(value)


class Base(NamedTuple):
    """A stored base: callback, body, and the code that ran."""

    c: int
    body: bytes
    generation: str


class Swap(NamedTuple):
    """An order to go on with other code; see `Room.swap`."""

    generation: str
    drop_orphans: bool = False
    may_lose: bool = False


@cache
def new_room(id: str) -> bytes:
    """A room that nobody has entered, as its body."""
    return b"".join(sections(Room.new(id, FIRST, seed=SEED, clock_us=0).capture()))


@cache
def room_at(id: str, base: Base, epoch: int, branch: int) -> bytes:
    """A room as restored by an owner who has told nobody yet."""
    room = Room.restore(read_body(base.body), id, GENERATIONS[base.generation], c=base.c, epoch=epoch, branch=branch)
    return _freeze_room(HostEnd(room, lambda link, message: None), [])


class _OneBase(Bases):
    """The store of bases, which has one."""

    def __init__(self, base: Base) -> None:
        self.base = base

    def newest(self, room: str, game: str, history: list[Owner]) -> tuple[Found | None, dict[BaseKey, str]]:
        c, body, generation = self.base
        return Found(BaseKey(1, c), generation, read_body(body)), {}


class _Journals(DeadHosts):
    """The journals of all hosts, read: of the dead ones as our own, of the living ones beside them."""

    def __init__(self, room: str, rows: tuple[Owner, ...], records: tuple[bytes, ...], living: frozenset[str]) -> None:
        hosts = {row.epoch: row.host for row in rows}
        self.journals = {}
        self._lines = {room: {host: Line({}, len(records)) for host in hosts.values()}}
        self._beside = {host: {} for host in hosts.values()}
        for data in records:
            record = read_record(data)
            host = hosts[record.epoch]
            if host in living:
                self._beside[host].setdefault(google_crc32c.value(room.encode()), []).append(data)
            else:
                self._lines[room][host].entries[record.epoch, record.c] = Entry(record, data)


class _Library:
    """Every generation; the newest one serves."""

    def at(self, game: str, generation: str) -> Toy:
        return GENERATIONS[generation]

    def current(self, game: str) -> Toy:
        return LAST


@cache
def recovered(id: str, base: Base, rows: tuple[Owner, ...], records: tuple[bytes, ...], living: frozenset[str]) -> Base:
    """What the real recovery makes of a base and the `records` that follow it.

    Args:
        rows: All owner rows.
        living: The hosts that may be alive.
    """
    programs = cast(Programs, _Library())
    journals = _Journals(id, rows, records, living)
    try:
        found = recover(id, "toy", programs, list(rows), _OneBase(base), journals, frozenset(), unguarded)
    except PerdureError as error:
        raise Violation(f"room {id} is not recovered: {error}") from error
    assert found is not None
    room = found.room
    return Base(room.c, b"".join(sections(room.capture())), room.program.generation)


# -- a room that moves -----------------------------------------------------------------------------


@cache
def claimed(row: Owner, claim: Claim, host: str) -> Owner | None:
    """The row that the real compare-and-set makes of `row`; None when the claim is lost."""
    with closing(sqlite3.connect(":memory:")) as connection:
        cursor = connection.cursor()
        cursor.execute(owners._SCHEMA[0])
        cursor.execute("INSERT INTO owner VALUES (?, ?, ?, ?, ?)", (claim.room, *msgspec.structs.astuple(row)))
        try:
            return owners._claim(cursor, claim, host)
        except ClaimLost:
            return None


@cache
def swapped_at(journal: tuple[bytes, ...]) -> int:
    """The last callback that was a swap of code; no swap comes while a successor follows the room."""
    return max((c for c, data in enumerate(journal, 1) if isinstance(read_record(data).cause, Reloaded)), default=0)


@cache
def offer_of(value: bytes, row: Owner) -> bytes:
    """The offer of a room that rests."""
    room = _thaw_room(value, [])[0].room
    return _encode(Offer(room.id, row, room.c, room.branch, room.value_hash(), room.acknowledged()))


@cache
def read_offer(data: bytes) -> Offer:
    """An offer, to look at."""
    return _offer.decode(data)


class Verified(NamedTuple):
    """What a successor made of an offer: why it refuses it, "" for not, and the copy."""

    problem: str
    value: bytes


class _Arrivals(Arrivals):
    """A successor's copy of one room, and what it has yet to read of the room's records."""

    def __init__(self, copy: Copy, records: tuple[bytes, ...]) -> None:
        self._copies = {copy.running.room.id: copy}
        self._tails = {copy.source: cast(JournalTail, _Tail(records))}


class _Tail(NamedTuple):
    records: tuple[bytes, ...]

    def upto(self, segment: int, end: int) -> tuple[bytes, ...]:
        return self.records


class _Copied(NamedTuple):
    """What there is of a `Running` in a copy of the model."""

    room: Room


@cache
def verified(value: bytes, offer: bytes, behind: tuple[bytes, ...], host: str, flaw: str) -> Verified:
    """The successor reads what its copy is `behind`, and compares.

    Args:
        flaw: record = it misses the last one; row = the copy has lost a row; "" for neither.
    """
    end, records = _thaw_room(value, [])
    copy = Copy("owner", cast(Running, _Copied(end.room)))
    arrivals = _Arrivals(copy, behind[:-1] if flaw == "record" else behind)
    if flaw == "row":
        arrivals._book(copy.source, behind)
        for cells in end.room.cells.values():
            for key in list(cells.image())[-1:]:
                cells.redo(key, None)
    problem = arrivals._verified(copy, Arriving(host), read_offer(offer))
    return Verified(problem, _freeze_room(end, records))


@cache
def base_of(value: bytes) -> Base:
    """A base of the room as it is."""
    frozen = look(value)
    return Base(frozen.c, frozen.body, frozen.generation)


@cache
def seats_of(value: bytes) -> dict[str, SeatState]:
    """The room's seats."""
    return read_body(look(value).body).meta.seats


@cache
def room_receives(value: bytes, link: int, message: bytes) -> RoomStep:
    """The host takes a message for this room from a gateway, and runs what follows from it."""
    sent: list[tuple[int, bytes]] = []
    end, records = _thaw_room(value, sent)
    match read_message(message):
        case EventSent() as event:
            _run(end, end.event(link, event), records)
        case OutAck() as ack:
            end.outack(ack)
        case SeatGone() as gone:
            _run(end, end.gone(gone), records)
        case other:
            raise Violation(f"a gateway sent {other}")
    return RoomStep(_freeze_room(end, records), tuple(sent))


@cache
def room_greeted(value: bytes, gateway: str, epoch: int, link: int) -> RoomStep:
    """A gateway said hello."""
    sent: list[tuple[int, bytes]] = []
    end, records = _thaw_room(value, sent)
    _run(end, end.gateway_up(gateway, epoch, link), records)
    return RoomStep(_freeze_room(end, records), tuple(sent))


@cache
def room_lost(value: bytes, link: int) -> RoomStep:
    """A gateway's link is at its end."""
    end, records = _thaw_room(value, [])
    end.gateway_lost(link)
    return RoomStep(_freeze_room(end, records), ())


@cache
def room_durable(value: bytes) -> RoomStep:
    """The oldest record that waits becomes durable."""
    sent: list[tuple[int, bytes]] = []
    end, records = _thaw_room(value, sent)
    durable = records.pop(0)
    end.durable()
    return RoomStep(_freeze_room(end, records), tuple(sent), durable)


@cache
def room_swaps(value: bytes, swap: Swap) -> RoomStep:
    """The room goes on with other code."""
    end, records = _thaw_room(value, [])
    program = GENERATIONS[swap.generation]
    try:
        ran = end.room.swap(program, 0, drop_orphans=swap.drop_orphans, may_lose=swap.may_lose)
    except PerdureError as error:
        raise Violation(f"room {end.room.id} refuses generation {swap.generation}: {error}") from error
    _ran(end, ran, records)
    return RoomStep(_freeze_room(end, records), ())


@cache
def timer_due(value: bytes) -> str | None:
    """The timer that is due."""
    due = _thaw_room(value, [])[0].room.next_due
    return None if due is None else due[1]


@cache
def room_timer(value: bytes, timer: str) -> RoomStep:
    """A timer fires."""
    end, records = _thaw_room(value, [])
    _run(end, [TimerFired(timer)], records)
    return RoomStep(_freeze_room(end, records), ())


def _run(end: HostEnd, causes: list[Cause], records: list[bytes]) -> None:
    for cause in causes:
        _ran(end, end.room.run(cause, 0), records)


def _ran(end: HostEnd, ran: Ran, records: list[bytes]) -> None:
    if ran.record is not None:
        end.ran(ran)
        records.append(ran.data)


def _thaw_room(value: bytes, sent: list[tuple[int, bytes]]) -> tuple[HostEnd, list[bytes]]:
    frozen = _frozen_room.decode(value)
    room = Room.restore(
        read_body(frozen.body), frozen.id, GENERATIONS[frozen.generation],
        c=frozen.c, epoch=frozen.epoch, branch=frozen.branch,
    )  # fmt: skip
    end = HostEnd(room, lambda link, message: sent.append((link, _encode(message))))  # type: ignore[arg-type]
    end._gateways.update(frozen.gateways)
    end._epochs.update(frozen.epochs)
    end._announced.update(frozen.announced)
    places: dict[int, Release | Announcement | Saying] = {}
    for place, epoch, cause, outputs in frozen.releases:
        places[place] = Release(epoch, cause, outputs)
    for place, gateway, link, up, outs in frozen.announcements:
        places[place] = Announcement(gateway, link, up, outs)
    for place, link, ack in frozen.sayings:
        places[place] = Saying(link, ack)
    end._queue.extend(places[place] for place in sorted(places))
    return end, list(frozen.records)


def _freeze_room(end: HostEnd, records: list[bytes]) -> bytes:
    room = end.room
    for name, cells in room.cells.items():
        if cells.versions != Cells(name, cells.image()).versions:
            raise Violation(f"room {room.id} has lost count of the versions of its rows: {cells.versions}")
    releases, announcements, sayings = [], [], []
    for place, waiting in enumerate(end._queue):
        match waiting:
            case Release(epoch=epoch, cause=cause, sent=sent):
                releases.append((place, epoch, cause, sent))
            case Announcement(gateway=gateway, link=link, up=up, outs=outs):
                announcements.append((place, gateway, link, up, outs))
            case Saying(link=link, message=message):
                sayings.append((place, link, message))
    return _encode(
        (
            room.id, room.program.generation, room.c, room.epoch, room.branch, b"".join(sections(room.capture())),
            end._gateways, end._epochs, sorted(end._announced), releases, announcements, sayings, records,  # type: ignore[type-var]
        )
    )  # fmt: skip


# -- a gateway -------------------------------------------------------------------------------------


class FrozenGateway(msgspec.Struct, array_like=True):
    """A gateway's end. Links are numbers of hosts. `slow`: its players' sockets take text when they please."""

    name: str
    epoch: int
    slow: bool
    sessions: dict[str, Presence]
    routes: dict[str, tuple[int, int, int | None]]


class GatewayStep(NamedTuple):
    """What a gateway did: its new value, what it sent as (link, message), what players saw and were told."""

    value: bytes
    sent: tuple[tuple[int, bytes], ...]
    shown: tuple[tuple[str, int, int, str], ...]
    told: tuple[tuple[str, str], ...]
    over: tuple[str, ...]


_frozen_gateway = msgspec.msgpack.Decoder(FrozenGateway)


@cache
def look_gateway(value: bytes) -> FrozenGateway:
    """A frozen gateway, to look at."""
    return _frozen_gateway.decode(value)


def new_gateway(name: str, epoch: int, slow: bool) -> bytes:
    """A gateway without sessions."""
    return _encode((name, epoch, slow, {}, {}))


class _Gateway:
    """A thawed gateway."""

    def __init__(self, value: bytes) -> None:
        frozen = _frozen_gateway.decode(value)
        self.slow = frozen.slow
        self.sent: list[tuple[int, bytes]] = []
        self.shown: list[tuple[str, int, int, str]] = []
        self.told: list[tuple[str, str]] = []
        self.ended: list[str] = []
        self.end = GatewayEnd(
            frozen.name,
            frozen.epoch,
            fallback="A",
            send=lambda link, message: self.sent.append((link, _encode(message))),  # type: ignore[arg-type]
            show=lambda session, j, m, text: self.shown.append((session, j, m, text.text)),
            notify=lambda session, text: self.told.append((session, text)),
            over=lambda session, reason: self.ended.append(session),
        )
        for session, presence in frozen.sessions.items():
            self.end.place(session, presence)
        self.end.routes.update({room: Route(*route) for room, route in frozen.routes.items()})

    def step(self) -> GatewayStep:
        end = self.end
        for session, j, m, _ in () if self.slow else self.shown:
            end.shown(session, j, m)
        routes = {room: (route.epoch, route.branch, route.link) for room, route in end.routes.items()}
        value = _encode((end.gateway, end.epoch, self.slow, end.sessions, routes))
        return GatewayStep(value, tuple(self.sent), tuple(self.shown), tuple(self.told), tuple(self.ended))


@cache
def gateway_receives(value: bytes, link: int, message: bytes) -> GatewayStep:
    """The gateway takes a message from a host."""
    gateway = _Gateway(value)
    try:
        gateway.end.receive(link, read_message(message))
    except ProtocolError as error:
        raise Violation(f"a host broke the protocol: {error}") from error
    return gateway.step()


@cache
def gateway_connected(value: bytes, link: int) -> GatewayStep:
    """A host's link is up."""
    gateway = _Gateway(value)
    gateway.end.connected(link)
    return gateway.step()


@cache
def gateway_lost(value: bytes, link: int) -> GatewayStep:
    """A host's link is at its end."""
    gateway = _Gateway(value)
    gateway.end.lost(link)
    return gateway.step()


@cache
def player_enters(value: bytes, session: str, name: str, room: str) -> GatewayStep:
    """A session begins."""
    gateway = _Gateway(value)
    gateway.end.enter(session, room, Join(Who(name, name)))
    return gateway.step()


@cache
def player_types(value: bytes, session: str, line: str) -> GatewayStep:
    """A player types a line, or leaves (``quit``)."""
    gateway = _Gateway(value)
    if line == "quit":
        gateway.end.leave(session, "quit")
    else:
        gateway.end.submit(session, Input(line))
    return gateway.step()


@cache
def player_reads(value: bytes, session: str) -> GatewayStep:
    """A player's socket takes all text that waits for it."""
    gateway = _Gateway(value)
    presence = gateway.end.sessions[session]
    gateway.end.shown(session, presence.j, presence.last)
    return gateway.step()
