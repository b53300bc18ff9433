"""Mail between rooms of different hosts, while the rooms move: each letter once and in order."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from types import SimpleNamespace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perdure.host.mail import SERVICE, Letter, Mail
from perdure.room.machine import Effects

TARGETS = ("t", "u")
LETTERS = 6


class Place:
    """One host: the rooms that it runs, and what is on its way to the other one."""

    def __init__(self, loop: asyncio.AbstractEventLoop, name: str) -> None:
        self.name = name
        self.rooms: dict[str, Any] = {}
        self.held: list[tuple[Any, Letter]] = []
        self.wire: deque[tuple[Any, ...]] = deque()
        self.mail = Mail(loop, self.rooms, self.deliver)
        self.mail.elsewhere = self._elsewhere
        self.mail.tell_applied = lambda *letter: self.wire.append(("mailed", *letter))

    def _elsewhere(self, letters: list[Letter]) -> bool:
        self.wire.append(("mail", letters))
        return True

    def deliver(self, room: Any, letter: Letter) -> None:
        """As a host does: now, or when the room goes on."""
        if room.stopped:
            self.held.append((room, letter))
        elif mail := self.mail.arrived(room, letter):
            room.room.mail_seen[mail.source] = mail.number
            room.applied.append((mail.source, mail.number))
            self.mail.applied(mail.source, room.room.id, mail.number)


def room(id: str) -> Any:
    """As much of a running room as mail needs."""
    value = SimpleNamespace(id=id, effects={}, mail_seen={})

    def acknowledge(service: str, number: int) -> None:
        effects = value.effects[service]
        effects.pending = [(n, body) for n, body in effects.pending if n > number]

    value.acknowledge_effect = acknowledge
    return SimpleNamespace(
        room=value, released={}, applied=[], stopped=False, end=SimpleNamespace(quiescent=True)
    )  # fmt: skip


class Town:
    """Two hosts, one source, two targets."""

    def __init__(self, chance: random.Random) -> None:
        self.loop = asyncio.new_event_loop()
        self.chance = chance
        self.places = [Place(self.loop, name) for name in "ab"]
        for id in ("s", *TARGETS):
            self.places[chance.randrange(2)].rooms[id] = room(id)
        self.left = LETTERS

    def at(self, id: str) -> tuple[int, Any]:
        """The host of a room, and the room."""
        return next((index, place.rooms[id]) for index, place in enumerate(self.places) if id in place.rooms)

    def turn(self) -> None:
        """What is due on the loop happens."""
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()

    def write(self) -> None:
        """The source sends a letter, which is durable at once."""
        index, source = self.at("s")
        target = self.chance.choice(TARGETS)
        self.left -= 1
        effects = source.room.effects.setdefault(SERVICE + target, Effects())
        number, effects.next_number = effects.next_number, effects.next_number + 1
        effects.pending.append((number, b""))
        self.places[index].mail.post("s", SERVICE + target, number, b"")

    def carry(self, index: int) -> None:
        """The other host takes what one said first."""
        match self.places[index].wire.popleft():
            case ("mail", letters):
                self.places[1 - index].mail.take_in(letters)
            case ("mailed", source, target, number):
                if source in self.places[1 - index].rooms:
                    self.places[1 - index].mail.applied(source, target, number)
            case ("came", id):
                self.places[1 - index].mail.moved(id)
                self.places[1 - index].mail.post_again()

    def stop(self, id: str) -> None:
        """The room stands still: what comes for it is held."""
        self.at(id)[1].stopped = True

    def move(self, id: str) -> None:
        """A stopped room goes on at the other host, or, if that fails, where it is."""
        index, moving = self.at(id)
        old, new = self.places[index], self.places[1 - index]
        held, old.held = [item for item in old.held if item[0] is moving], [i for i in old.held if i[0] is not moving]
        moving.stopped = False
        if self.chance.random() < 0.3:
            for _, letter in held:
                old.deliver(moving, letter)
            return
        del old.rooms[id]
        old.mail.moved(id)
        new.rooms[id] = moving
        moving.released = {service: effects.next_number - 1 for service, effects in moving.room.effects.items()}
        new.mail.moved(id)
        new.mail.post_again()
        new.wire.append(("came", id))

    def step(self) -> None:
        """Anything that can happen next."""
        steps: list[Any] = [self.turn]
        if self.left:
            steps.append(self.write)
        steps += [lambda i=i: self.carry(i) for i, place in enumerate(self.places) if place.wire]
        for id in ("s", *TARGETS):
            action = self.move if self.at(id)[1].stopped else self.stop
            steps.append(lambda id=id, action=action: action(id))
        self.chance.choice(steps)()

    def settle(self) -> None:
        """Nothing moves any more, and everything that is on its way arrives."""
        for id in ("s", *TARGETS):
            if self.at(id)[1].stopped:
                self.move(id)
        for _ in range(200):
            self.turn()
            for index, place in enumerate(self.places):
                if place.wire:
                    self.carry(index)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(chance=st.randoms(use_true_random=False))
def test_letters_arrive_once_and_in_order_while_rooms_move_between_hosts(chance: random.Random) -> None:
    """(H6, FM-27, FM-95) A gap in the numbers would be taken for lost history, so none may be made on the way."""
    town = Town(chance)
    try:
        for _ in range(60):
            town.step()
        town.settle()
        source = town.at("s")[1]
        for target in TARGETS:
            effects = source.room.effects.get(SERVICE + target, Effects())
            applied = [number for _, number in town.at(target)[1].applied]
            assert applied == list(range(1, effects.next_number))
            assert effects.pending == []
    finally:
        town.loop.close()
