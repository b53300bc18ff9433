"""The time of day, and the weather: what everybody outdoors shares.

The time of day is read off the room's clock, so nothing has to be stored, and both rooms agree on it. The weather
is a row, since chance had a hand in it.
"""

from typing import NamedTuple

from perdure import Module, Player, Row, Table, command, every, on

from .places import PLACES, Looked, Places

DAY_S = 3600.0
"""A day of the town is an hour of ours: whoever plays for an evening sees it get dark more than once."""
TIMES = ("night", "night", "dawn", "morning", "noon", "afternoon", "dusk", "evening")


class Kind(NamedTuple):
    """A kind of weather: the line when it comes, the one while it stays, and what may follow."""

    comes: str
    stays: str
    then: tuple[str, ...]


WEATHER = {
    "fair": Kind("The clouds move on.", "", ("fair", "wind", "mist")),
    "wind": Kind("A wind gets up, and every rope in town has something to say.", "The ropes hum.", ("fair", "rain")),
    "mist": Kind("Mist comes up off the river and takes the far bank.", "You can see as far as the mist.", ("fair",)),
    "rain": Kind("It begins to rain.", "It rains. The gutters pass it on.", ("rain", "storm", "mist")),
    "storm": Kind("Thunder. The geese answer.", "It pours, and all of it comes through here.", ("rain",)),
}


class Weather(Row):
    """What the weather is. There is one, with the key "now"."""

    kind: str = "fair"


class Sky(Module):
    weather: Table[Weather]

    def kind(self) -> str:
        """What the weather is."""
        row = self.weather.peek("now")
        return row.kind if row and row.kind in WEATHER else "fair"

    @every(minutes=6)
    def change(self) -> None:
        """Tell those outdoors, in one line, unless they listen: they hear of it when they look."""
        before, now = self.kind(), self.room.random.choice(WEATHER[self.kind()].then)
        self.weather["now"] = Weather(now)
        if now != before:
            outside = [player for player in self.room.players if self.outdoors(player)]
            self.say(WEATHER[now].comes, to=[player for player in outside if not player.screenreader])

    def outdoors(self, player: Player) -> bool:
        """Whether the weather reaches a player."""
        return not PLACES[self.room[Places].place_of(player)].indoors

    @on(Looked)
    def show(self, event: Looked) -> None:
        player = self.room.players.get(event.player)
        if player and self.outdoors(player) and WEATHER[self.kind()].stays:
            player.tell(WEATHER[self.kind()].stays)

    @command("weather", "time", help="See what time of day it is, and what the sky is up to.")
    def tell(self, player: Player) -> None:
        sky = WEATHER[self.kind()].stays or "The sky is clear." if self.outdoors(player) else "You are indoors."
        player.tell(f"It is {time_of_day(self.room.now)}. {sky}")


def time_of_day(now: float) -> str:
    """The part of the day, as a word."""
    return TIMES[int(now % DAY_S / DAY_S * len(TIMES))]
