"""Things: picking up, putting down, giving away, eating."""

from typing import NamedTuple

from perdure import Event, Module, Player, Row, Table, command, on

from .places import Did, Forgotten, Looked, Places
from .words import counted, in_words, listing


class Kind(NamedTuple):
    """What all things of a kind have in common."""

    price: int
    damage: int = 0
    heals: int = 0


KINDS = {
    "apple": Kind(price=2, heals=4),
    "pot of soup": Kind(price=5, heals=10),
    "handful of beans": Kind(price=1, heals=2),
    "wooden spoon": Kind(price=3, damage=1),
    "rusty sword": Kind(price=12, damage=4),
    "goose feather": Kind(price=1),
    "rat tail": Kind(price=2),
    "brass medal": Kind(price=15),
}

LYING_AROUND = {
    "meadow": ["apple", "apple"],
    "oak": ["wooden spoon"],
    "cellar": ["pot of soup"],
    "allotments": ["handful of beans", "handful of beans"],
}


class Item(Row):
    """One thing. `where` is a place's name, or a player's id with an @ before it."""

    kind: str
    where: str


class Count(Row):
    """How many things were ever made: the next one's key."""

    made: int = 0


class Eaten(Event):
    """Somebody ate something."""

    player: str
    heals: int


class Items(Module):
    things: Table[Item, int]
    counts: Table[Count]

    def start(self) -> None:
        if self.room.id == "world":
            for place, kinds in LYING_AROUND.items():
                for kind in kinds:
                    self.make(kind, place)

    def make(self, kind: str, where: str) -> None:
        """Bring a thing into the world."""
        count = self.counts.setdefault("items", Count())
        count.made += 1
        self.things[count.made] = Item(kind, where)

    def at(self, where: str) -> list[tuple[int, Item]]:
        """The things in a place, or those that somebody carries. To look at; to change one, take it from `things`."""
        return [(number, item) for number, item in self.things.scan() if item.where == where]

    def words(self, where: str) -> list[str]:
        """The things there in words: an apple, 2 rat tails."""
        return counted([item.kind for _, item in self.at(where)])

    def find(self, name: str, where: str) -> int | None:
        """The number of a thing, by its name or a word of it."""
        name = name.lower()
        return next((n for n, item in self.at(where) if name == item.kind or name in item.kind.split()), None)

    def carried(self, player: Player, name: str) -> int:
        """The number of a thing that a player carries, or a refusal."""
        return self.find(name, hand(player)) or self.refuse(f"You have no {name}.")

    @on(Looked)
    def show(self, event: Looked) -> None:
        player = self.room.players.get(event.player)
        things = self.words(event.place)
        if player and things:
            player.tell(listing(player, "On the ground", things))

    @command("inventory", "i", "inv", help="See what you carry.")
    def inventory(self, player: Player) -> None:
        things = self.words(hand(player)) or ["nothing"]
        player.tell(listing(player, "You carry", things) if player.screenreader else f"You carry {', '.join(things)}.")
        self.room.emit(Did(player.id, "inventory"))

    @command("get ITEM", "take", help="Pick something up.")
    def get(self, player: Player, item: str) -> None:
        number = self.find(item, self.room[Places].place_of(player)) or self.refuse(f"There is no {item} here.")
        thing = self.things[number]
        thing.where = hand(player)
        player.tell(f"You take the {thing.kind}.")
        self.say(f"{player} takes the {thing.kind}.", to=self.room[Places].around(player))
        self.room.emit(Did(player.id, "get"))

    @command("drop ITEM", help="Put something down.")
    def drop(self, player: Player, item: str) -> None:
        thing = self.things[self.carried(player, item)]
        thing.where = self.room[Places].place_of(player)
        player.tell(f"You drop the {thing.kind}.")
        self.say(f"{player} drops the {thing.kind}.", to=self.room[Places].around(player))
        self.room.emit(Did(player.id, "drop"))

    @command("give ITEM to WHOM", "hand", help="Give something to somebody here.")
    def give(self, player: Player, item: str, whom: Player) -> None:
        thing = self.things[self.carried(player, item)]
        if whom not in self.room[Places].around(player):
            self.refuse(f"{whom} is not with you.")
        thing.where = hand(whom)
        player.tell(f"You give {whom} the {thing.kind}.")
        whom.tell(f"{player} gives you the {thing.kind}.")
        self.room.emit(Did(player.id, "give"))

    @command("eat ITEM", "drink", help="Eat something, and feel better.")
    def eat(self, player: Player, item: str) -> None:
        number = self.carried(player, item)
        kind = self.things[number].kind
        if not KINDS[kind].heals:
            self.refuse(f"You think better of it. It is still {in_words(kind, 1)}.")
        del self.things[number]
        player.tell(f"You finish the {kind}.")
        self.room.emit(Eaten(player.id, KINDS[kind].heals))
        self.room.emit(Did(player.id, "eat"))

    @on(Forgotten)
    def forget(self, event: Forgotten) -> None:
        """What a guest carries goes with them: every guest brings an apple, and the town would be knee-deep in them."""
        for number, _ in self.at(f"@{event.player}"):
            del self.things[number]


def hand(player: Player) -> str:
    """Where the things are that a player carries."""
    return f"@{player.id}"
