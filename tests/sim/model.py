"""The model: everything that can happen next in a world.

Modelled around the real ends (`parts`): links that lose any suffix when a side dies, journals and owner rows that
survive it, the move of a room between hosts, recovery by another host, gateways that begin anew. Theory of operation:

- A record is pending from the moment its callback ran until it becomes durable in order (`durable`). A host that dies
  between writing a record and releasing it is the same as one that releases it into links that lose everything.
- A host that dies loses its rooms, what it had not read, and any suffix of what it had sent.
- A link that breaks loses any suffix of both directions; what is said until the other side notices is lost, too.
  The host connects again when it notices.
- In a move both sides are the real ones (`perdure.movement.move`, and the copy of `perdure.host.arrivals`). Each of
  their steps may come at any time after the one before it: what one says to the other may come late, even when the
  other has long gone on, and an answer that comes too late is as good as lost. A claim, and learning what came of it,
  are two steps; learning is always by the row, so a claim with an unknown result is not another case. The successor's
  refusal is not modelled: the old owner aborts at any time, whatever it heard.
- A successor begins to follow a room at some callback of its owner; between that and the offer it does nothing that
  anybody could notice, so the model lets it begin when the room stops (`ahead`: at whichever callback).
- Whoever recovers a room does so in one step: read the owner row, read the journals, compare-and-set. What the model
  leaves open is *when*; a commit and a recovery that race are two orders of such steps. It reads what every owner
  recorded, whether or not that host lives; only the last owner has to be dead.
- A room takes other code (`swaps`) between any two of its callbacks, whether or not their records are durable. Its
  history says which code it runs: a check after every step compares the two, and the room's state with that of a
  room that ran the same causes in the first generation all along.
- A lossy crash (`losses`) also loses any suffix of the owner's records, and begins a new branch.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from msgspec.structs import replace

from perdure.link.messages import GatewayHello, HostHello
from perdure.movement.move import Arriving, Leaving
from perdure.ports import Claim, Owner
from perdure.room.record import Event, Input
from tests.sim import parts
from tests.sim.history import facts_of
from tests.sim.parts import Base, RoomStep, Swap, Violation, base_of
from tests.sim.promises import Promises
from tests.sim.toy import FIRST
from tests.sim.world import END_OF_LINK, At, Scenario, Step, Stored, World, put, put2


class Model:
    """A scenario's first world, its transitions and its promises."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.room_names = [room for room, _ in scenario.rooms]
        self._promises = Promises(scenario)
        self.check, self.check_end = self._promises.check, self._promises.check_end
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
            stored.append(Stored((Owner(1, str(owner), 0, 0),), base, ()))
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
        world = replace(
            world,
            gateways=put(world.gateways, slot, parts.new_gateway(*self.scenario.gateways[slot], self.scenario.slow)),
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
        return replace(world, gateways=put(world.gateways, slot, step.value), up=up)

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
                yield from self._stop(world, room)
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
            after = replace(world, typed=put(world.typed, number, typed + 1))
            step = parts.player_types(value, player.session, line)
            yield ("types", player.session, line), self._gateway(after, player.gateway, step)

    def _messages(self, world: World) -> Iterator[Step]:
        for slot in range(len(world.gateways)):
            for host, link in enumerate(world.up[slot]):
                if link:
                    after = replace(world, up=put2(world.up, slot, host, link[1:]))
                    yield ("host", host, "takes from gateway", slot, link[0]), self._up(after, slot, host, link[0])
            for host, link in enumerate(world.down[slot]):
                if link and world.gateways[slot]:
                    after = replace(world, down=put2(world.down, slot, host, link[1:]))
                    yield ("gateway", slot, "takes from host", host, link[0]), self._down(after, slot, host, link[0])

    def _up(self, world: World, slot: int, host: int, message: bytes) -> World:
        """A host takes a message, or the end of a link."""
        if message == END_OF_LINK:
            greeted = tuple(other for other in world.greeted[host] if other != slot)
            world = replace(world, greeted=put(world.greeted, host, greeted))
            for room, at in self._running(world, host):
                world = self._room(world, room, host, parts.room_lost(at.value, slot))
            return self._connect_host(world, slot, host) if world.gateways[slot] else world
        said = parts.read_message(message)
        if isinstance(said, GatewayHello):
            world = replace(world, greeted=put(world.greeted, host, (*world.greeted[host], slot)))
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
                after = replace(world, swaps=world.swaps + 1)
                step = parts.room_swaps(at.value, swap)
                yield ("SWAP: room", room, "at host", host, "to", *swap), self._room(after, room, host, step)

    # -- the move ------------------------------------------------------------------------------------

    def _stop(self, world: World, room: int) -> Iterator[Step]:
        """Stop and offer: at a quiescent point, to a host that has nothing of this room but a copy."""
        places, stored = world.rooms[room], world.stored[room]
        successor = self._spare(world, room)
        if successor is None:
            return
        for host, at in enumerate(places):
            if at is None or at.stage != "run" or any(p is not None for p in put(places, host, None)):
                continue
            if parts.look(at.value).records:
                continue
            offer = parts.offer_of(at.value, stored.owner)
            leaving = Leaving(str(host))
            leaving.stop(parts.read_offer(offer))
            begun = max(stored.owner.from_c, stored.base.c, parts.swapped_at(stored.journal))
            for c in range(begun, len(stored.journal) + 1) if self.scenario.ahead else [begun]:
                grounded = self._copied(stored, room, c)
                copy = parts.room_at(self.room_names[room], grounded, stored.owner.epoch, stored.owner.branch)
                for flaw in ("", "record", "row") if world.flaws < self.scenario.flaws else ("",):
                    after = put(
                        put(places, host, _left(leaving, at.value, offer)), successor, At("copy", copy, offer, flaw)
                    )
                    kept = stored if stored.base.c >= stored.owner.from_c else replace(stored, base=grounded)
                    yield (
                        ("STOP: room", room, "at host", host, "for host", successor, "copied at", c, flaw),
                        replace(
                            world, rooms=put(world.rooms, room, after), stored=put(world.stored, room, kept),
                            moves=world.moves + 1, flaws=world.flaws + bool(flaw),
                        ),
                    )  # fmt: skip

    def _copied(self, stored: Stored, room: int, c: int) -> Base:
        """A base that the owner stored at callback c, for the successor."""
        records = stored.journal[stored.base.c : c]
        if not records:
            return stored.base
        return parts.recovered(self.room_names[room], stored.base, stored.rows, records, frozenset())

    def _moving(self, world: World, room: int) -> Iterator[Step]:
        """What each side of a move may do, at any time: nothing here waits for the other."""
        for host, at in enumerate(world.rooms[room]):
            if at is not None and at.stage == "stopped":
                yield from self._leave(world, room, host, at)
            elif at is not None and at.stage == "copy":
                yield from self._verify(world, room, host, at)
            elif at is not None and at.stage == "verified":
                yield from self._arrive(world, room, host, at)
        for place, (which, host, epoch) in enumerate(world.said):
            if which == room:
                yield from self._released(world, place, room, host, epoch)

    def _leave(self, world: World, room: int, host: int, at: At) -> Iterator[Step]:
        """The old owner, after any error or T: its abort is a claim; then, whatever came of that, it reads the row."""
        leaving = _leaving(host, at)
        claimed = self._claim(world, room, leaving.abort(), host)
        yield ("abort: room", room, "at host", host), self._at(claimed, room, host, _left(leaving, at.value, at.offer))
        leaving = _leaving(host, at)
        row = world.stored[room].owner
        after = world
        if leaving.aborted(row) == "ours":
            after = self._run(world, room, host, base_of(at.value), row)
        else:
            after = self._at(world, room, host, _left(leaving, at.value, at.offer))
        yield ("reads the row: room", room, "at host", host), after

    def _verify(self, world: World, room: int, host: int, at: At) -> Iterator[Step]:
        """The successor takes the offer, or knows that none will come."""
        stored, offer = world.stored[room], parts.read_offer(at.offer)
        behind = stored.journal[parts.look(at.value).c : offer.c]
        verified = parts.verified(at.value, at.offer, behind, str(host), at.flaw)
        if verified.problem and not at.flaw and stored.owner == offer.owner and stored.left < 0:
            raise Violation(f"room {offer.room} cannot move: {verified.problem}")
        arrived = At("verified", verified.value, at.offer) if not verified.problem else None
        yield ("verify: room", room, "at host", host), self._at(world, room, host, arrived)
        if not world.alive[int(offer.owner.host)]:
            yield ("no offer: room", room, "at host", host), self._at(world, room, host, None)

    def _arrive(self, world: World, room: int, host: int, at: At) -> Iterator[Step]:
        """The successor's commit; then, whatever came of that, it reads the row. If that says so, it runs."""
        arriving = _arriving(host, at)
        claimed = self._claim(world, room, arriving.commit(), host)
        yield ("COMMIT: room", room, "at host", host), claimed
        row = world.stored[room].owner
        decided = arriving.committed(row)
        if decided == "open":
            return
        after = self._at(world, room, host, None)
        if arriving.stage == "ours":
            assert arriving.offer is not None
            after = self._run(world, room, host, base_of(at.value), row)
            said = (room, int(arriving.offer.owner.host), row.epoch)
            after = replace(after, said=tuple(sorted((*after.said, said))))
        yield ("reads the row: room", room, "at host", host), after

    def _released(self, world: World, place: int, room: int, host: int, epoch: int) -> Iterator[Step]:
        """The old owner hears that the room is the successor's; what it does not wait for any more is nothing to it."""
        world = replace(world, said=(*world.said[:place], *world.said[place + 1 :]))
        at = world.rooms[room][host]
        if at is not None and at.stage == "stopped":
            leaving = _leaving(host, at)
            assert leaving.offer is not None
            if leaving.offer.owner.epoch + 1 == epoch:
                leaving.released()
                world = self._at(world, room, host, _left(leaving, at.value, at.offer))
        yield ("released: room", room, "at host", host, "epoch", epoch), world

    def _at(self, world: World, room: int, host: int, at: At | None) -> World:
        return replace(world, rooms=put2(world.rooms, room, host, at))

    def _claim(self, world: World, room: int, claim: Claim, host: int) -> World:
        """The owner row is compared and set, or not. What the claimer learns of it is another step."""
        stored = world.stored[room]
        row = parts.claimed(stored.owner, claim, str(host))
        if row is None:
            return world
        return replace(world, stored=put(world.stored, room, replace(stored, rows=(*stored.rows, row), left=-1)))

    def _run(self, world: World, room: int, host: int, reached: Base, row: Owner) -> World:
        """The room is this host's under this row: it runs, and every gateway is told."""
        value = parts.room_at(self.room_names[room], reached, row.epoch, row.branch)
        world = self._at(world, room, host, At("run", value))
        for slot in world.greeted[host]:
            at = world.rooms[room][host]
            assert at is not None
            gateway, epoch = self.scenario.gateways[slot]
            world = self._room(world, room, host, parts.room_greeted(at.value, gateway, epoch, slot))
        return world

    def _base(self, world: World, room: int) -> Iterator[Step]:
        """Store a base, at a quiescent point."""
        for host, at in enumerate(world.rooms[room]):
            if at is not None and at.stage == "run" and not parts.look(at.value).records:
                stored = replace(world.stored[room], base=base_of(at.value))
                after = replace(world, stored=put(world.stored, room, stored), bases=world.bases + 1)
                yield ("base: room", room, "at host", host), after

    # -- death and recovery --------------------------------------------------------------------------

    def _crash(self, world: World, host: int) -> Iterator[Step]:
        """A host dies; each of its links keeps some of what it sent."""
        down = [world.down[slot][host] for slot in range(len(world.gateways))]
        dead = replace(
            world,
            alive=put(world.alive, host, False),
            greeted=put(world.greeted, host, ()),
            rooms=tuple(put(places, host, None) for places in world.rooms),
            up=tuple(put(row, host, ()) for row in world.up),
            said=tuple(said for said in world.said if said[1] != host),
        )
        for kept in product(*[range(len(link) + 1) for link in down]):
            links = tuple(
                put(row, host, (*down[slot][: kept[slot]], END_OF_LINK) if world.gateways[slot] else ())
                for slot, row in enumerate(world.down)
            )
            after = replace(dead, down=links)
            if world.crashes < self.scenario.crashes:
                yield ("CRASH: host", host, "kept", kept), replace(after, crashes=world.crashes + 1)
            if world.losses < self.scenario.losses:
                yield from self._lose(replace(after, losses=world.losses + 1), host, kept)

    def _lose(self, world: World, host: int, kept: tuple[int, ...]) -> Iterator[Step]:
        """The host's rooms lose some of their last records: whoever recovers them begins a new branch."""
        owned = [(room, stored) for room, stored in enumerate(world.stored) if stored.host == host]
        lengths = [range(max(s.base.c, s.owner.from_c), len(s.journal) + 1) for _, s in owned]
        for ends in product(*lengths):
            left = list(world.stored)
            for (room, stored), end in zip(owned, ends, strict=True):
                left[room] = replace(stored, left=end)
            yield ("CRASH: host", host, "kept", kept, "records left", ends), replace(world, stored=tuple(left))

    def _recovery(self, world: World, room: int) -> Iterator[Step]:
        """A live host claims the room of a dead one: base, records, compare-and-set."""
        stored = world.stored[room]
        host = self._spare(world, room)
        if world.alive[stored.host] or host is None:
            return
        owner, journal, branch = stored.owner, stored.journal, stored.owner.branch
        if stored.left >= 0:
            branch, journal = branch + 1, journal[: stored.left]
        living = frozenset(row.host for row in stored.rows if world.alive[int(row.host)])
        records = journal[stored.base.c :]
        reached = parts.recovered(self.room_names[room], stored.base, stored.rows, records, living)
        if reached.c != len(journal):
            raise Violation(f"room {self.room_names[room]} was recovered up to {reached.c} of {len(journal)} records")
        base = stored.base if self.scenario.late else reached
        world = replace(world, stored=put(world.stored, room, replace(stored, journal=journal, base=base)))
        world = self._claim(world, room, Claim(self.room_names[room], owner, reached.c, branch), host)
        yield ("recover: room", room, "at host", host), self._run(world, room, host, reached, world.stored[room].owner)

    def _spare(self, world: World, room: int) -> int | None:
        """The first live host that has nothing of this room; hosts without any room come first."""
        free = [h for h, alive in enumerate(world.alive) if alive and world.rooms[room][h] is None]
        return min(free, key=lambda h: (any(places[h] for places in world.rooms), h), default=None)

    def _break(self, world: World) -> Iterator[Step]:
        """A link breaks and loses some of what it holds."""
        broken = replace(world, breaks=world.breaks + 1)
        for slot, value in enumerate(world.gateways):
            for host, alive in enumerate(world.alive):
                up, down = world.up[slot][host], world.down[slot][host]
                if not value or not alive or not (up or down) or END_OF_LINK in up or END_OF_LINK in down:
                    continue
                for kept_up, kept_down in product(range(len(up) + 1), range(len(down) + 1)):
                    yield (
                        ("BREAK: gateway", slot, "and host", host, "kept", (kept_up, kept_down)),
                        replace(
                            broken,
                            up=put2(world.up, slot, host, (*up[:kept_up], END_OF_LINK)),
                            down=put2(world.down, slot, host, (*down[:kept_down], END_OF_LINK)),
                        ),
                    )

    def _gateway_crash(self, world: World, slot: int, successor: int) -> Iterator[Step]:
        """A gateway dies with its sessions, and the next one of its name begins."""
        up = world.up[slot]
        dead = replace(
            world,
            gateways=put(world.gateways, slot, None),
            down=put(world.down, slot, ((),) * len(up)),
        )
        for kept in product(*[range(len(link) + 1) for link in up]):
            links = tuple(
                (*link[: kept[host]], END_OF_LINK) if world.alive[host] else () for host, link in enumerate(up)
            )
            after = self._connect(replace(dead, up=put(world.up, slot, links)), successor)
            yield ("CRASH: gateway", slot, "kept", kept), self._enter(after, successor)

    # -- consequences, and the promises that they must keep --------------------------------------------

    def _room(self, world: World, room: int, host: int, step: RoomStep) -> World:
        """Put a room's step into the world. Released means durable (I3); only the owner appends (I1, I2)."""
        world = self._at(world, room, host, At("run", step.value))
        if step.durable is not None:
            world = self._append(world, room, host, step.durable)
        if step.sent:
            facts = facts_of(world.stored[room].journal)
            down = world.down
            for slot, message in step.sent:
                self._promises.check_released(facts, message)
                if world.gateways[slot] and END_OF_LINK not in world.up[slot][host]:
                    down = put2(down, slot, host, (*down[slot][host], message))
            world = replace(world, down=down)
        return world

    def _append(self, world: World, room: int, host: int, data: bytes) -> World:
        stored = world.stored[room]
        record = parts.read_record(data)
        if (record.epoch, str(host)) != (stored.owner.epoch, stored.owner.host):
            raise Violation(f"host {host} appended at epoch {record.epoch}; the owner row is {stored.owner} (I1)")
        journal = (*stored.journal, data)
        facts_of(journal)
        world = replace(world, stored=put(world.stored, room, replace(stored, journal=journal)))
        if isinstance(record.cause, Event) and isinstance(record.cause.body, Input) and not self.scenario.losses:
            self._promises.check_applied(world, record.cause.session)
        return world

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
            self._promises.check_shown(world, step.value, session, j, m, text)
            seen = put(seen, number, (*seen[number], (j, m, text)))
        if step.told and not self.scenario.losses and "closed" not in self.room_names:
            raise Violation(f"players were told {step.told}, and nothing was lost")
        return replace(world, gateways=put(world.gateways, slot, step.value), up=up, seen=seen)


def _leaving(host: int, at: At) -> Leaving:
    """The old owner's side of a move, thawed."""
    leaving = Leaving(str(host))
    leaving.stop(parts.read_offer(at.offer))
    return leaving


def _left(leaving: Leaving, value: bytes, offer: bytes = b"") -> At | None:
    """And frozen: nothing is kept of a room that is gone."""
    match leaving.stage:
        case "running":
            return At("run", value)
        case "stopped":
            return At("stopped", value, offer)
    return None


def _arriving(host: int, at: At) -> Arriving:
    """The successor's side, thawed. It is a verified copy."""
    arriving = Arriving(str(host))
    arriving.stage, arriving.offer = "verified", parts.read_offer(at.offer)
    return arriving
