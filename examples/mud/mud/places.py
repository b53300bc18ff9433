"""Where everybody is: the map, looking, and walking.

The map spans two rooms of the server, `world` and `arena`; each place says in which one it lies. An exit
that leads into the other room ends in the event `Crossing`; what happens then is in game.py.
"""

from typing import NamedTuple

from perdure import Event, Module, Player, Row, Table, bold, command

HOME = "square"


class Place(NamedTuple):
    """A place of the map. It never changes, so it is code and not a row."""

    title: str
    text: str
    exits: dict[str, str]
    room: str = "world"


PLACES = {
    "square": Place(
        "The Square",
        "Three bridges meet over a town that was meant to be temporary. Somebody has\n"
        "painted an arrow on the cobbles, pointing down: TO THE ARENA.",
        {"north": "inn", "east": "shop", "south": "mill", "west": "bridge", "arena": "sand"},
    ),
    "inn": Place(
        "The Leaking Ladle",
        "The soup of the day has been the same for eleven years, and improves.\nStairs lead down to where it is kept.",
        {"south": "square", "down": "cellar"},
    ),
    "cellar": Place("The Cellar", "Barrels, dark, and a smell of old soup. Something rustles.", {"up": "inn"}),
    "shop": Place(
        "Odds & Ends",
        "Mostly ends. A hand-written card says: LIST what I have, BUY what you like,\nSELL what you found.",
        {"west": "square"},
    ),
    "mill": Place(
        "The Mill",
        "The wheel turns whether there is corn or not. It has done so for so long that\n"
        "nobody dares to ask what it grinds.",
        {"north": "square", "east": "meadow"},
    ),
    "meadow": Place(
        "The Meadow",
        "Grass to the knee, and in it, geese to the elbow.",
        {"west": "mill", "north": "oak"},
    ),
    "oak": Place(
        "The Hollow Oak",
        "You could live in here. Judging by the spoons, somebody did.",
        {"south": "meadow", "up": "crown"},
    ),
    "crown": Place("The Crown of the Oak", "The whole town, held together with rope.", {"down": "oak"}),
    "bridge": Place("The Low Bridge", "The river goes about its business below.", {"east": "square"}),
    "sand": Place(
        "The Arena",
        "Raked sand under a low vault. High up, daylight, and the feet of people who\nare not fighting.",
        {"out": "square", "up": "benches"},
        "arena",
    ),
    "benches": Place("The Benches", "Empty, but for a cushion that bites.", {"down": "sand"}, "arena"),
}

SHORT = {"n": "north", "e": "east", "s": "south", "w": "west", "u": "up", "d": "down"}


class Person(Row):
    """A player's character in this room, whether the player is connected or not. Keyed by the player's id."""

    place: str = HOME


class Looked(Event):
    """A player looks around. Whoever has something in the place to show tells them."""

    player: str
    place: str


class Crossing(Event):
    """A player walks into a place that lies in another room."""

    player: str
    place: str


class Places(Module):
    people: Table[Person]

    def place_of(self, player: Player) -> str:
        """Where a player is."""
        person = self.people.peek(player.id)
        return person.place if person and person.place in PLACES else HOME

    def present(self, place: str) -> list[Player]:
        """The players in a place."""
        return [player for player in self.room.players if self.place_of(player) == place]

    def around(self, player: Player) -> list[Player]:
        """The players in the same place, but for the player."""
        return [other for other in self.present(self.place_of(player)) if other != player]

    def put(self, player: Player, place: str) -> None:
        """Bring a player to a place, without a word to those who are there."""
        self.people[player.id].place = place
        self.look(player)

    @command("look", "l", help="See where you are.")
    def look(self, player: Player) -> None:
        place = PLACES[self.place_of(player)]
        player.tell(f"{bold(place.title)}\n{place.text}\nExits: {', '.join(place.exits)}.")
        for other in self.around(player):
            player.tell(f"{other} is here.")
        self.room.emit(Looked(player.id, self.place_of(player)))

    @command("go DIRECTION", "walk", help="Walk through an exit. Its name alone will do.")
    def go(self, player: Player, direction: str) -> None:
        direction = SHORT.get(direction.lower(), direction.lower())
        here = PLACES[self.place_of(player)]
        place = here.exits.get(direction) or self.refuse(f"There is no way {direction} from here.")
        self.say(f"{player} leaves: {direction}.", to=self.around(player))
        if PLACES[place].room != self.room.id:
            self.room.emit(Crossing(player.id, place))
            return
        self.put(player, place)
        self.say(f"{player} comes in.", to=self.around(player))

    def is_exit(self, player: Player, word: str) -> bool:
        """Whether a word names a way out of where the player is."""
        word = word.lower()
        return SHORT.get(word, word) in PLACES[self.place_of(player)].exits
