"""The model's world: one frozen value, and everything that can happen next.

Modelled around the real ends (`parts`): links that lose any suffix when a side dies, journals and owner rows that
survive it, the move of a room between hosts, recovery by another host, gateways that begin anew. Theory of operation:

- A record is pending from the moment its callback ran until it becomes durable in order (`durable`). A host that dies
  between writing a record and releasing it is the same as one that releases it into links that lose everything.
- A host that dies loses its rooms, what it had not read, and any suffix of what it had sent.
- A link that breaks loses any suffix of both directions; what is said until the other side notices is lost, too.
  The host connects again when it notices.
- Whoever claims a room does so in one step: read the owner row, read the journal, compare-and-set. What the model
  leaves open is *when*; a commit and a recovery that race are two orders of such steps.
- A room takes other code (`swaps`) between any two of its callbacks, whether or not their records are durable. Its
  history says which code it runs: a check after every step compares the two, and the room's state with that of a
  room that ran the same causes in the first generation all along.
- A lossy crash (`losses`) also loses any suffix of the journals' records, and begins a new branch.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

from perdure.link.messages import Ack, GatewayHello, HostHello, Out, RoomUp
from perdure.room.record import Event, Input, Text
from tests.sim import parts
from tests.sim.history import Facts, facts_of, never_swapped, state_of, versions_of
from tests.sim.parts import Base, RoomStep, Swap, Violation
from tests.sim.toy import FIRST, GENERATIONS

END_OF_LINK = b""
"""Last item of a link whose other side died."""


class Player(NamedTuple):
    """Who plays, behind which gateway, and what they type: lines as `toy` reads them, or ``quit``."""

    session: str
    gateway: int
    room: str
    lines: tuple[str, ...]


class Scenario(NamedTuple):
    """What a search explores.

    Attributes:
        players: All players; those of a later gateway enter when it begins.
        gateways: (name, epoch) in order of their beginning; one that shares its name with an earlier one begins
            when that one dies.
        rooms: Room -> the host that runs it first.
        hosts: How many there are; those that run nothing at first can recover rooms and take moves.
        crashes, moves, losses, breaks: How many times a host dies, a room is captured for a move, a host dies and
            records are lost, a link between two that live breaks.
        bases: How many times a base is stored while the room runs.
        swaps: The code that rooms take, in this order, whichever room and whenever.
        late: Whether a new owner stores no base when it takes a room: recovery may then go back over several owners.
        slow: Whether players' sockets take text when they please, not at once.
    """

    players: tuple[Player, ...]
    gateways: tuple[tuple[str, int], ...] = (("g", 1),)
    rooms: tuple[tuple[str, int], ...] = (("A", 0),)
    hosts: int = 1
    crashes: int = 0
    moves: int = 0
    losses: int = 0
    breaks: int = 0
    bases: int = 0
    swaps: tuple[Swap, ...] = ()
    late: bool = False
    slow: bool = False


class At(NamedTuple):
    """A room at a host. Stages: run, stopped (captured for a move), restored (by the successor)."""

    stage: str
    value: bytes


class Owned(NamedTuple):
    """Owner row."""

    epoch: int
    host: int
    branch: int


class Stored(NamedTuple):
    """What is stored of a room.

    Attributes:
        owner: Its owner row.
        base: Its newest base.
        journal: Its whole history since the beginning.
        left: How many records the dead owner's end has left of it; -1 = all.
    """

    owner: Owned
    base: Base
    journal: tuple[bytes, ...]
    left: int = -1


Link = tuple[bytes, ...]
Links = tuple[tuple[Link, ...], ...]


class World(NamedTuple):
    """Everything, frozen.

    Attributes:
        typed: For each player, how many lines they have typed.
        seen: For each player, (j, m, text) of all that was shown.
        gateways: Frozen gateways; b"" = not begun, None = dead.
        alive: For each host, whether it lives.
        greeted: For each host, the gateways that said hello and whose link has not ended, in order.
        rooms: For each room, for each host, the room there, if any.
        stored: For each room, what is stored of it.
        up: [gateway][host], messages on their way to the host.
        down: [gateway][host], messages on their way to the gateway.
        crashes, moves, losses, breaks, bases, swaps: How many there have been.
    """

    typed: tuple[int, ...]
    seen: tuple[tuple[tuple[int, int, str], ...], ...]
    gateways: tuple[bytes | None, ...]
    alive: tuple[bool, ...]
    greeted: tuple[tuple[int, ...], ...]
    rooms: tuple[tuple[At | None, ...], ...]
    stored: tuple[Stored, ...]
    up: Links
    down: Links
    crashes: int = 0
    moves: int = 0
    losses: int = 0
    breaks: int = 0
    bases: int = 0
    swaps: int = 0


Label = tuple[object, ...]
Step = tuple[Label, World]


def put(values: tuple[Any, ...], place: int, value: object) -> tuple[Any, ...]:
    """`values` with one of them replaced."""
    return (*values[:place], value, *values[place + 1 :])


def put2(rows: tuple[Any, ...], row: int, place: int, value: object) -> tuple[Any, ...]:
    """`rows` with one value of one of them replaced."""
    return put(rows, row, put(rows[row], place, value))


class Model:
    """A scenario's first world, its transitions and its promises."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.room_names = [room for room, _ in scenario.rooms]
        self.rings = any("ring" in player.lines for player in scenario.players)

    # -- the beginning -------------------------------------------------------------------------------

    def first(self) -> World:
        """All gateways that begin at once know all rooms; their players have entered, and no host has noticed."""
        scenario = self.scenario
        slots, hosts = len(scenario.gateways), scenario.hosts
        rooms, stored = [], []
        for name, owner in scenario.rooms:
            base = Base(0, parts.new_room(name), FIRST.generation)
            at = At("run", parts.room_at(name, base, 1, 0))
            rooms.append(put((None,) * hosts, owner, at))
            stored.append(Stored(Owned(1, owner, 0), base, ()))
        links = (((),) * hosts,) * slots
        world = World(
            (0,) * len(scenario.players), ((),) * len(scenario.players), (b"",) * slots, (True,) * hosts,
            ((),) * hosts, tuple(rooms), tuple(stored), links, links,
        )  # fmt: skip
        names: set[str] = set()
        beginning = []
        for slot, (name, _) in enumerate(scenario.gateways):
            if name not in names:
                beginning.append(slot)
                world = self._connect(world, slot)
            names.add(name)
        while any(link for row in world.up + world.down for link in row):
            world = next(world for _, world in self._messages(world))
        for slot in beginning:
            world = self._enter(world, slot)
        return world

    def _connect(self, world: World, slot: int) -> World:
        world = world._replace(
            gateways=put(world.gateways, slot, parts.new_gateway(*self.scenario.gateways[slot], self.scenario.slow))
        )
        for host, alive in enumerate(world.alive):
            if alive:
                world = self._connect_host(world, slot, host)
        return world

    def _connect_host(self, world: World, slot: int, host: int) -> World:
        """A new link: its first message follows whatever the old one still holds."""
        step = parts.gateway_connected(world.gateways[slot] or b"", host)
        up = world.up
        for _, message in step.sent:
            up = put2(up, slot, host, (*up[slot][host], message))
        return world._replace(gateways=put(world.gateways, slot, step.value), up=up)

    def _enter(self, world: World, slot: int) -> World:
        for player in self.scenario.players:
            if player.gateway == slot:
                value = world.gateways[slot] or b""
                world = self._gateway(
                    world, slot, parts.player_enters(value, player.session, player.session, player.room)
                )
        return world

    # -- what can happen -----------------------------------------------------------------------------

    def next(self, world: World) -> Iterator[Step]:
        """Every step that is part of going on."""
        yield from self._players(world)
        yield from self._messages(world)
        for room in range(len(world.rooms)):
            yield from self._durable(world, room)
            if self.rings:
                yield from self._timers(world, room)
            yield from self._moving(world, room)
            yield from self._recovery(world, room)

    def trouble(self, world: World) -> Iterator[Step]:
        """Every step that somebody's bad luck, or an operator, adds."""
        scenario = self.scenario
        lossy = world.losses < scenario.losses
        if sum(world.alive) > 1 and (world.crashes < scenario.crashes or lossy):
            for host, alive in enumerate(world.alive):
                if alive:
                    yield from self._crash(world, host)
        if world.moves < scenario.moves:
            for room in range(len(world.rooms)):
                yield from self._capture(world, room)
        if world.bases < scenario.bases:
            for room in range(len(world.rooms)):
                yield from self._base(world, room)
        if world.swaps < len(scenario.swaps):
            for room in range(len(world.rooms)):
                yield from self._swap(world, room, scenario.swaps[world.swaps])
        if world.breaks < scenario.breaks:
            yield from self._break(world)
        for slot, (name, _) in enumerate(scenario.gateways):
            later = [s for s, (n, _) in enumerate(scenario.gateways) if n == name and s > slot]
            if world.gateways[slot] and later:
                yield from self._gateway_crash(world, slot, later[0])

    def _players(self, world: World) -> Iterator[Step]:
        for number, player in enumerate(self.scenario.players):
            typed = world.typed[number]
            value = world.gateways[player.gateway]
            presence = parts.look_gateway(value).sessions.get(player.session) if value else None
            if not value or presence is None:
                continue
            if presence.shown < presence.last:
                step = parts.player_reads(value, player.session)
                yield ("reads", player.session), self._gateway(world, player.gateway, step)
            if typed == len(player.lines):
                continue
            line = player.lines[typed]
            after = world._replace(typed=put(world.typed, number, typed + 1))
            step = parts.player_types(value, player.session, line)
            yield ("types", player.session, line), self._gateway(after, player.gateway, step)

    def _messages(self, world: World) -> Iterator[Step]:
        for slot in range(len(world.gateways)):
            for host, link in enumerate(world.up[slot]):
                if link:
                    after = world._replace(up=put2(world.up, slot, host, link[1:]))
                    yield ("host", host, "takes from gateway", slot, link[0]), self._up(after, slot, host, link[0])
            for host, link in enumerate(world.down[slot]):
                if link and world.gateways[slot]:
                    after = world._replace(down=put2(world.down, slot, host, link[1:]))
                    yield ("gateway", slot, "takes from host", host, link[0]), self._down(after, slot, host, link[0])

    def _up(self, world: World, slot: int, host: int, message: bytes) -> World:
        """A host takes a message, or the end of a link."""
        if message == END_OF_LINK:
            greeted = tuple(other for other in world.greeted[host] if other != slot)
            world = world._replace(greeted=put(world.greeted, host, greeted))
            for room, at in self._running(world, host):
                world = self._room(world, room, host, parts.room_lost(at.value, slot))
            return self._connect_host(world, slot, host) if world.gateways[slot] else world
        said = parts.read_message(message)
        if isinstance(said, GatewayHello):
            world = world._replace(greeted=put(world.greeted, host, (*world.greeted[host], slot)))
            for room, at in self._running(world, host):
                world = self._room(world, room, host, parts.room_greeted(at.value, said.gateway, said.epoch, slot))
            return world
        assert not isinstance(said, HostHello)
        for room, at in self._running(world, host):
            if self.room_names[room] == said.room:
                return self._room(world, room, host, parts.room_receives(at.value, slot, message))
        return world

    def _running(self, world: World, host: int) -> Iterator[tuple[int, At]]:
        for room, places in enumerate(world.rooms):
            at = places[host]
            if at is not None and at.stage == "run":
                yield room, at

    def _down(self, world: World, slot: int, host: int, message: bytes) -> World:
        value = world.gateways[slot] or b""
        if message == END_OF_LINK:
            return self._gateway(world, slot, parts.gateway_lost(value, host))
        return self._gateway(world, slot, parts.gateway_receives(value, host, message))

    def _durable(self, world: World, room: int) -> Iterator[Step]:
        for host, at in enumerate(world.rooms[room]):
            if at is not None and at.stage == "run" and parts.look(at.value).records:
                yield (
                    ("durable: room", room, "at host", host),
                    self._room(world, room, host, parts.room_durable(at.value)),
                )

    def _timers(self, world: World, room: int) -> Iterator[Step]:
        for host, at in enumerate(world.rooms[room]):
            if at is not None and at.stage == "run" and (timer := parts.timer_due(at.value)) is not None:
                step = parts.room_timer(at.value, timer)
                yield ("timer: room", room, "at host", host), self._room(world, room, host, step)

    def _swap(self, world: World, room: int, swap: Swap) -> Iterator[Step]:
        """Other code for a running room, between two of its callbacks."""
        for host, at in enumerate(world.rooms[room]):
            if at is not None and at.stage == "run" and parts.look(at.value).generation != swap.generation:
                after = world._replace(swaps=world.swaps + 1)
                step = parts.room_swaps(at.value, swap)
                yield ("SWAP: room", room, "at host", host, "to", *swap), self._room(after, room, host, step)

    # -- the move ------------------------------------------------------------------------------------

    def _capture(self, world: World, room: int) -> Iterator[Step]:
        """Stop and offer: at a quiescent point, to a host that has nothing of this room."""
        places = world.rooms[room]
        successor = self._spare(world, room)
        if successor is None:
            return
        for host, at in enumerate(places):
            if at is None or at.stage != "run" or any(p is not None for p in put(places, host, None)):
                continue
            frozen = parts.look(at.value)
            if frozen.records or frozen.announcements or frozen.sayings:
                continue
            restored = parts.room_at(frozen.id, _base_of(frozen), frozen.epoch, frozen.branch)
            if parts.room_hash(restored) != parts.room_hash(at.value):
                raise Violation(f"room {frozen.id} was restored as another value")
            after = put(put(places, host, At("stopped", at.value)), successor, At("restored", restored))
            yield (
                ("capture: room", room, "at host", host, "for host", successor),
                world._replace(rooms=put(world.rooms, room, after), moves=world.moves + 1),
            )

    def _base(self, world: World, room: int) -> Iterator[Step]:
        """Store a base, at a quiescent point."""
        for host, at in enumerate(world.rooms[room]):
            frozen = None if at is None or at.stage != "run" else parts.look(at.value)
            if frozen is not None and not frozen.records:
                stored = world.stored[room]._replace(base=_base_of(frozen))
                after = world._replace(stored=put(world.stored, room, stored), bases=world.bases + 1)
                yield ("base: room", room, "at host", host), after

    def _moving(self, world: World, room: int) -> Iterator[Step]:
        """Commit by the successor and abort by the old owner, each by compare-and-set."""
        owner = world.stored[room].owner
        for host, at in enumerate(world.rooms[room]):
            if at is None or at.stage == "run":
                continue
            frozen = parts.look(at.value)
            if owner.epoch == frozen.epoch:
                word = "COMMIT: room" if at.stage == "restored" else "abort: room"
                after = self._own(world, room, host, _base_of(frozen), frozen.branch)
                yield (word, room, "at host", host), after
            else:
                rooms = put2(world.rooms, room, host, None)
                yield ("lost the row: room", room, "at host", host), world._replace(rooms=rooms)

    def _own(self, world: World, room: int, host: int, reached: Base, branch: int) -> World:
        """Compare-and-set won: run the room under the next epoch, and announce it."""
        stored = world.stored[room]
        owner = Owned(stored.owner.epoch + 1, host, branch)
        name = self.room_names[room]
        value = parts.room_at(name, reached, owner.epoch, branch)
        base = stored.base if self.scenario.late else reached
        world = world._replace(
            stored=put(world.stored, room, stored._replace(owner=owner, base=base, left=-1)),
            rooms=put2(world.rooms, room, host, At("run", value)),
        )
        for slot in world.greeted[host]:
            at = world.rooms[room][host]
            assert at is not None
            gateway, epoch = self.scenario.gateways[slot]
            world = self._room(world, room, host, parts.room_greeted(at.value, gateway, epoch, slot))
        return world

    # -- death and recovery --------------------------------------------------------------------------

    def _crash(self, world: World, host: int) -> Iterator[Step]:
        """A host dies; each of its links keeps some of what it sent."""
        down = [world.down[slot][host] for slot in range(len(world.gateways))]
        dead = world._replace(
            alive=put(world.alive, host, False),
            greeted=put(world.greeted, host, ()),
            rooms=tuple(put(places, host, None) for places in world.rooms),
            up=tuple(put(row, host, ()) for row in world.up),
        )
        for kept in product(*[range(len(link) + 1) for link in down]):
            links = tuple(
                put(row, host, (*down[slot][: kept[slot]], END_OF_LINK) if world.gateways[slot] else ())
                for slot, row in enumerate(world.down)
            )
            after = dead._replace(down=links)
            if world.crashes < self.scenario.crashes:
                yield ("CRASH: host", host, "kept", kept), after._replace(crashes=world.crashes + 1)
            if world.losses < self.scenario.losses:
                yield from self._lose(after._replace(losses=world.losses + 1), host, kept)

    def _lose(self, world: World, host: int, kept: tuple[int, ...]) -> Iterator[Step]:
        """The host's rooms lose some of their last records: whoever recovers them begins a new branch."""
        owned = [room for room, stored in enumerate(world.stored) if stored.owner.host == host]
        lengths = [range(world.stored[room].base.c, len(world.stored[room].journal) + 1) for room in owned]
        for ends in product(*lengths):
            stored = list(world.stored)
            for room, end in zip(owned, ends, strict=True):
                stored[room] = stored[room]._replace(left=end)
            yield ("CRASH: host", host, "kept", kept, "records left", ends), world._replace(stored=tuple(stored))

    def _recovery(self, world: World, room: int) -> Iterator[Step]:
        """A live host claims the room of a dead one: base, records, compare-and-set."""
        stored = world.stored[room]
        host = self._spare(world, room)
        if world.alive[stored.owner.host] or host is None:
            return
        owner, journal, branch = stored.owner, stored.journal, stored.owner.branch
        if stored.left >= 0:
            branch, journal = branch + 1, journal[: stored.left]
        reached = parts.recovered(self.room_names[room], stored.base, owner.epoch, journal[stored.base.c :])
        if reached.c != len(journal):
            raise Violation(f"room {self.room_names[room]} was recovered up to {reached.c} of {len(journal)} records")
        world = world._replace(stored=put(world.stored, room, stored._replace(journal=journal)))
        yield ("recover: room", room, "at host", host), self._own(world, room, host, reached, branch)

    def _spare(self, world: World, room: int) -> int | None:
        """The first live host that has nothing of this room; hosts without any room come first."""
        free = [h for h, alive in enumerate(world.alive) if alive and world.rooms[room][h] is None]
        return min(free, key=lambda h: (any(places[h] for places in world.rooms), h), default=None)

    def _break(self, world: World) -> Iterator[Step]:
        """A link breaks and loses some of what it holds."""
        broken = world._replace(breaks=world.breaks + 1)
        for slot, value in enumerate(world.gateways):
            for host, alive in enumerate(world.alive):
                up, down = world.up[slot][host], world.down[slot][host]
                if not value or not alive or not (up or down) or END_OF_LINK in up or END_OF_LINK in down:
                    continue
                for kept_up, kept_down in product(range(len(up) + 1), range(len(down) + 1)):
                    yield (
                        ("BREAK: gateway", slot, "and host", host, "kept", (kept_up, kept_down)),
                        broken._replace(
                            up=put2(world.up, slot, host, (*up[:kept_up], END_OF_LINK)),
                            down=put2(world.down, slot, host, (*down[:kept_down], END_OF_LINK)),
                        ),
                    )

    def _gateway_crash(self, world: World, slot: int, successor: int) -> Iterator[Step]:
        """A gateway dies with its sessions, and the next one of its name begins."""
        up = world.up[slot]
        dead = world._replace(
            gateways=put(world.gateways, slot, None),
            down=put(world.down, slot, ((),) * len(up)),
        )
        for kept in product(*[range(len(link) + 1) for link in up]):
            links = tuple(
                (*link[: kept[host]], END_OF_LINK) if world.alive[host] else () for host, link in enumerate(up)
            )
            after = self._connect(dead._replace(up=put(world.up, slot, links)), successor)
            yield ("CRASH: gateway", slot, "kept", kept), self._enter(after, successor)

    # -- consequences, and the promises that they must keep --------------------------------------------

    def _room(self, world: World, room: int, host: int, step: RoomStep) -> World:
        """Put a room's step into the world. Released means durable (I3); only the owner appends (I1, I2)."""
        world = world._replace(rooms=put2(world.rooms, room, host, At("run", step.value)))
        if step.durable is not None:
            world = self._append(world, room, host, step.durable)
        if step.sent:
            facts = facts_of(world.stored[room].journal)
            down = world.down
            for slot, message in step.sent:
                self._check_released(facts, message)
                if world.gateways[slot] and END_OF_LINK not in world.up[slot][host]:
                    down = put2(down, slot, host, (*down[slot][host], message))
            world = world._replace(down=down)
        return world

    def _append(self, world: World, room: int, host: int, data: bytes) -> World:
        stored = world.stored[room]
        record = parts.read_record(data)
        if (record.epoch, host) != stored.owner[:2]:
            raise Violation(f"host {host} appended at epoch {record.epoch}; the owner row is {stored.owner} (I1)")
        journal = (*stored.journal, data)
        facts_of(journal)
        world = world._replace(stored=put(world.stored, room, stored._replace(journal=journal)))
        if isinstance(record.cause, Event) and isinstance(record.cause.body, Input) and not self.scenario.losses:
            self._check_applied(world, record.cause.session)
        return world

    def _check_applied(self, world: World, session: str) -> None:
        """P3: no line is applied twice, in whichever rooms and seats."""
        number = next(i for i, player in enumerate(self.scenario.players) if player.session == session)
        typed = list(self.scenario.players[number].lines[: world.typed[number]])
        for room in world.stored:
            for line in facts_of(room.journal).lines.get(session, ()):
                if line not in typed:
                    raise Violation(f"{session} typed {line!r} once, and it was applied twice (P3)")
                typed.remove(line)

    def _check_released(self, facts: Facts, message: bytes) -> None:
        match parts.read_message(message):
            case Out(seats=seats, body=body):
                for session, j, m in seats:
                    if facts.said.get((session, j), ())[m - 1 : m] != (body,):
                        raise Violation(f"output {m} of seat ({session}, {j}) was sent and is not durable (I3)")
            case Ack(session=session, j=j, n=n):
                if n not in facts.applied.get((session, j), ()):
                    raise Violation(f"event {n} of seat ({session}, {j}) was acknowledged and is not durable (I3)")
            case RoomUp(seats=up):
                for session, (j, applied) in up.items():
                    if applied not in facts.applied.get((session, j), ()):
                        raise Violation(f"seat ({session}, {j}) was announced with {applied}, not durable (I3)")

    def _gateway(self, world: World, slot: int, step: parts.GatewayStep) -> World:
        """Put a gateway's step into the world. What is shown is shown once, in order (I4)."""
        up = world.up
        for host, message in step.sent:
            if world.alive[host] and END_OF_LINK not in world.down[slot][host]:
                up = put2(up, slot, host, (*up[slot][host], message))
        seen = world.seen
        for session, j, m, text in step.shown:
            number = next(i for i, player in enumerate(self.scenario.players) if player.session == session)
            last_j, last_m = seen[number][-1][:2] if seen[number] else (0, 0)
            if not (j == last_j and m == last_m + 1) and not (j > last_j and m == 1):
                raise Violation(f"{session} saw output {m} of seat {j} after output {last_m} of seat {last_j} (I4)")
            self._check_shown(world, step.value, session, j, m, text)
            seen = put(seen, number, (*seen[number], (j, m, text)))
        if step.told and not self.scenario.losses and "closed" not in self.room_names:
            raise Violation(f"players were told {step.told}, and nothing was lost")
        return world._replace(gateways=put(world.gateways, slot, step.value), up=up, seen=seen)

    def _check_shown(self, world: World, value: bytes, session: str, j: int, m: int, text: str) -> None:
        """I3. What is shown before a gateway hears of a lost history may be of it, later nothing."""
        gateway = parts.look_gateway(value)
        room = gateway.sessions[session].room
        stored = world.stored[self.room_names.index(room)]
        if self.scenario.losses and gateway.routes[room][0] < stored.owner.epoch:
            return
        if facts_of(stored.journal).said.get((session, j), ())[m - 1 : m] != (Text(text),):
            raise Violation(f"{session} saw {text!r} as output {m} of seat {j}, which is not durable (I3)")

    def check(self, world: World) -> None:
        """I1: at most one host runs a room."""
        for room, places in enumerate(world.rooms):
            running = [host for host, at in enumerate(places) if at is not None and at.stage == "run"]
            if len(running) > 1:
                raise Violation(f"room {self.room_names[room]} runs at hosts {running} (I1)")
            if self.scenario.swaps:
                for at in places:
                    if at is not None and at.stage == "run":
                        self._check_code(world.stored[room].journal, parts.look(at.value))

    def _check_code(self, journal: tuple[bytes, ...], frozen: parts.FrozenRoom) -> None:
        """I6: the room runs the code that its history says, on rows that this code reads, and none of them changed."""
        history = (*journal, *frozen.records)
        facts = facts_of(history)
        if frozen.generation != facts.generation:
            raise Violation(
                f"room {frozen.id} runs generation {frozen.generation}, its history says {facts.generation} (I6)"
            )
        versions = versions_of(frozen.body)
        if max(versions, default=1) > GENERATIONS[frozen.generation].spec.version:
            raise Violation(
                f"room {frozen.id} has rows of versions {sorted(versions)} under generation {frozen.generation} (I6)"
            )
        state = state_of(frozen.body)
        unswapped = state_of(never_swapped(frozen.id, history))
        if state != unswapped:
            raise Violation(f"room {frozen.id} has {state}; without swaps it would have {unswapped} (I6)")

    def check_end(self, world: World) -> None:
        """I5: when nothing can happen any more, everything was applied, shown and acknowledged."""
        seats: dict[str, list[tuple[str, int]]] = {}
        for room, name in enumerate(self.room_names):
            host = world.stored[room].owner.host
            at = world.rooms[room][host]
            if at is None or at.stage != "run":
                raise Violation(f"nobody runs room {name} (I5)")
            for session, seat in parts.seats_of(at.value).items():
                seats.setdefault(session, []).append((name, seat.j))
                if seat.outbox:
                    raise Violation(f"outputs {[m for m, _ in seat.outbox]} to {session} in {name} never drained (I5)")
        for number, player in enumerate(self.scenario.players):
            self._check_player(world, number, player, seats.pop(player.session, []))
        if seats:
            raise Violation(f"seats {seats} belong to nobody (I5)")

    def _check_player(self, world: World, number: int, player: Player, seats: list[tuple[str, int]]) -> None:
        value = world.gateways[player.gateway]
        presence = parts.look_gateway(value).sessions.get(player.session) if value else None
        if presence is None:
            if seats:
                raise Violation(f"{player.session} is gone, and still sits in {seats} (I5)")
        elif seats != [(presence.room, presence.j)]:
            raise Violation(f"{player.session} is in seat {presence.j} of {presence.room}, the rooms say {seats} (I5)")
        elif presence.tail:
            raise Violation(f"events {[n for n, _ in presence.tail]} of {player.session} are stuck (I5)")
        if presence is not None:
            self._check_seen(world, number, player, presence.room, presence.j)
        if value and "end" not in player.lines and not self.scenario.losses:
            self._check_lines(world, number, player)

    def _check_seen(self, world: World, number: int, player: Player, room: str, j: int) -> None:
        """I4 and I5: what a player saw in their seat is what the room's history says, all of it."""
        journal = world.stored[self.room_names.index(room)].journal
        said = [
            output.text for output in facts_of(journal).said.get((player.session, j), ()) if isinstance(output, Text)
        ]
        seen = [text for seat, _, text in world.seen[number] if seat == j]
        if seen != said:
            raise Violation(f"{player.session} saw {seen} in seat {j} of room {room}, which said {said} (I4, I5)")

    def _check_lines(self, world: World, number: int, player: Player) -> None:
        """P3: each line was applied once, and a player who stays hears their own lines once, in order."""
        typed = [line for line in player.lines[: world.typed[number]] if line != "quit"]
        applied = [line for room in world.stored for line in facts_of(room.journal).lines.get(player.session, ())]
        if sorted(applied) != sorted(typed):
            raise Violation(f"{player.session} typed {typed}, and {applied} was applied (P3)")
        prefix = f"{player.session}: "
        heard = [text.removeprefix(prefix) for _, _, text in world.seen[number] if text.startswith(prefix)]
        heard = [line for line in heard if not line.startswith("hello ")]
        if heard != [line for line in typed if line != "fault"] and "quit" not in player.lines:
            raise Violation(f"{player.session} typed {typed} and heard {heard} (P3)")


def _base_of(frozen: parts.FrozenRoom) -> Base:
    """A base of the room as it is."""
    return Base(frozen.c, frozen.body, frozen.generation)
