"""The promises that the model keeps in every world: I1 to I6, and each line once (P3)."""

from __future__ import annotations

from perdure.link.messages import Ack, Out, RoomUp
from perdure.room.record import Text
from tests.sim import parts
from tests.sim.history import Facts, facts_of, never_swapped, state_of, versions_of
from tests.sim.parts import Violation
from tests.sim.toy import GENERATIONS
from tests.sim.world import Player, Scenario, World


class Promises:
    """What must hold, for one scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.room_names = [room for room, _ in scenario.rooms]

    def check_applied(self, world: World, session: str) -> None:
        """P3: no line is applied twice, in whichever rooms and seats."""
        number = next(i for i, player in enumerate(self.scenario.players) if player.session == session)
        typed = list(self.scenario.players[number].lines[: world.typed[number]])
        for room in world.stored:
            for line in facts_of(room.journal).lines.get(session, ()):
                if line not in typed:
                    raise Violation(f"{session} typed {line!r} once, and it was applied twice (P3)")
                typed.remove(line)

    def check_released(self, facts: Facts, message: bytes) -> None:
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

    def check_shown(self, world: World, value: bytes, session: str, j: int, m: int, text: str) -> None:
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
            if self.scenario.swaps or self.scenario.flaws:
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
            host = world.stored[room].host
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
