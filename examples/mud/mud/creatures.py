"""Creatures: what lives here, and walks about as it pleases."""

from typing import NamedTuple

from perdure import Event, Module, Row, Table, on

from .items import Items
from .places import PLACES, Looked, Places


class Breed(NamedTuple):
    """What all creatures of a breed have in common."""

    home: str
    hp: int
    damage: int
    walks: str
    drops: str


BREEDS = {
    "goose": Breed("meadow", 6, 2, "waddles", "goose feather"),
    "rat": Breed("cellar", 4, 1, "scurries", "rat tail"),
    "cat": Breed("inn", 9, 3, "saunters", "rat tail"),
    "bear": Breed("sand", 16, 4, "lumbers", "brass medal"),
}

RESTLESS_S = 45.0
BACK_AFTER_S = 60.0


class Creature(Row):
    """A creature that is alive. Keyed by its breed."""

    place: str
    hp: int


class Slain(Event):
    """A creature was killed."""

    breed: str
    place: str


class Creatures(Module):
    alive: Table[Creature]

    def start(self) -> None:
        for name, breed in BREEDS.items():
            if PLACES[breed.home].room == self.room.id:
                self.appear(name)

    def appear(self, name: str) -> None:
        """A creature comes into the world, and will move on after a while."""
        breed = BREEDS[name]
        self.alive[name] = Creature(breed.home, breed.hp)
        self.say(f"A {name} {breed.walks} in.", to=self.room[Places].present(breed.home))
        self.room.after(self.pause(), self.wander, name)

    def wander(self, name: str) -> None:
        """A creature takes an exit, if it is still alive, and will do so again."""
        creature = self.alive.get(name)
        if creature is None:
            return
        ways = {way: to for way, to in PLACES[creature.place].exits.items() if PLACES[to].room == self.room.id}
        way = self.room.random.choice(list(ways))
        walks, places = BREEDS[name].walks, self.room[Places]
        self.say(f"The {name} {walks} off: {way}.", to=places.present(creature.place))
        creature.place = ways[way]
        self.say(f"A {name} {walks} in.", to=places.present(creature.place))
        self.room.after(self.pause(), self.wander, name)

    def pause(self) -> float:
        """How long a creature stays where it is."""
        return RESTLESS_S * self.room.random.uniform(0.5, 1.5)

    def here(self, name: str, place: str) -> Creature | None:
        """The creature of this name, if it is in this place."""
        creature = self.alive.get(name.lower().removeprefix("the "))
        return creature if creature and creature.place == place else None

    @on(Looked)
    def show(self, event: Looked) -> None:
        player = self.room.players.get(event.player)
        for name, creature in self.alive.scan():
            if player and creature.place == event.place:
                player.tell(f"A {name} is here.")

    @on(Slain)
    def die(self, event: Slain) -> None:
        del self.alive[event.breed]
        self.room[Items].make(BREEDS[event.breed].drops, event.place)
        self.room.after(BACK_AFTER_S, self.appear, event.breed)
