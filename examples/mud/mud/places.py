"""Where everybody is: the map, looking, and walking.

The map is data, in `places.toml`: it never changes while it runs, so it is no row. It spans two rooms of the
server, `world` and `arena`; each place says in which one it lies. An exit that leads into the other room ends in
the event `Crossing`; what happens then is in game.py.
"""

from typing import NamedTuple

from perdure import Event, Module, Player, Row, Table, bold, command, data, linked, on


class Place(NamedTuple):
    """A place of the map.

    `exits` lead from a word to another place's name. Those in `oneway` have no way back. No weather reaches a place
    that is `indoors`. `num`, `environment` and the area are for clients that draw a map.
    """

    num: int
    title: str
    text: str
    exits: dict[str, str]
    environment: str
    indoors: bool = False
    oneway: tuple[str, ...] = ()
    room: str = "world"


PLACES = data("places.toml", dict[str, Place])
HOME = "square"
HOME_ROOM = PLACES[HOME].room
ROOMS = sorted({place.room for place in PLACES.values()})
AREAS = {"world": "Underbridge", "arena": "The Arena"}
SHORT = {"n": "north", "e": "east", "s": "south", "w": "west", "u": "up", "d": "down"}
WAYS = {*SHORT, *(way for place in PLACES.values() for way in place.exits)}
LETTERS = {way: letter for letter, way in SHORT.items()}
CROWD_MAX = 50
"""So many players of one place are told to its players' clients."""

# A map that leads nowhere is found out when the file is saved, and not when somebody walks off its edge.
LOST = {to for place in PLACES.values() for to in place.exits.values()} - set(PLACES)
if LOST:
    raise ValueError(f"places.toml has exits to places that are not there: {', '.join(sorted(LOST))}")


class Person(Row):
    """A player's character in this room, whether the player is connected or not. Keyed by the player's id."""

    place: str = HOME


class Looked(Event):
    """A player looks around. Whoever has something in the place to show tells them."""

    player: str
    place: str


class Did(Event):
    """A player has done something, and it worked."""

    player: str
    deed: str


class Forgotten(Event):
    """A guest has gone for good; see guests.py. Whoever keeps rows of theirs drops them."""

    player: str


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
        before, self.people[player.id].place = self.place_of(player), place
        self.describe(player)
        self.show_crowd(before)
        self.show_crowd(place)

    def describe(self, player: Player) -> None:
        """Show a player where they are."""
        place = PLACES[self.place_of(player)]
        player.tell(f"{bold(place.title)}\n{place.text}\n{exits(place, player.screenreader)}")
        for other in self.around(player):
            player.tell(f"{other} is here.")
        self.room.emit(Looked(player.id, self.place_of(player)))

    @command("look", "l", help="See where you are.")
    def look(self, player: Player) -> None:
        self.describe(player)
        self.room.emit(Did(player.id, "look"))

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
        self.room.emit(Did(player.id, "go"))

    def gmcp(self, player: Player) -> dict[str, object]:
        """The place as a client's map has it."""
        if player.id not in self.people:
            return {}
        place = PLACES[self.place_of(player)]
        info = {
            "num": place.num,
            "name": place.title,
            "area": AREAS[place.room],
            "environment": place.environment,
            "exits": {LETTERS.get(way, way): PLACES[to].num for way, to in place.exits.items()},
        }
        return {"Room.Info": info}

    @on(Forgotten)
    def forget(self, event: Forgotten) -> None:
        self.people.pop(event.player, None)

    def show_crowd(self, place: str, but: Player | None = None) -> None:
        """Tell the clients of those in a place who is there, but for somebody who is about to leave.

        It is sent when somebody comes or goes, and no part of `gmcp`, which is called for everybody after each word
        that is said: with a hundred players on the square, each of them would be counted a hundred times.
        """
        here = [player for player in self.present(place) if player != but]
        names = [{"name": player.name, "fullname": player.name} for player in here[:CROWD_MAX]]
        for player in here:
            player.send("Room.Players", names)


def exits(place: Place, listens: bool) -> str:
    """The ways out of a place: each a link, or for those who listen, each on its line with where it leads."""
    ways = {way: linked(way, send=way) + (" (one way)" if way in place.oneway else "") for way in place.exits}
    if listens:
        return "\n".join(["Exits:", *(f"{ways[way]} to {PLACES[to].title}" for way, to in place.exits.items())])
    return f"Exits: {', '.join(ways.values())}."
