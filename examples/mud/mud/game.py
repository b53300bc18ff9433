"""The game: who comes and goes, and how a character gets from one room of the server to another.

A character is rows in several tables. When its player walks from `world` into `arena`, these rows leave the one room
and travel as one letter, `Luggage`. Mail arrives exactly once, whatever crashes on the way, so a character is always in
exactly one room, or in the mail. The player travels beside it, by `player.go`, and may arrive first. So there is one
rule, in `join`: whoever has no character here follows it. A room that sent a character away knows where.
"""

from perdure import Event, Game, Player, Row, Table, on

from .channels import Channels, Quiet
from .combat import Combat, Health
from .items import Items, hand
from .places import HOME, HOME_ROOM, PLACES, WAYS, Crossing, Forgotten, Person, Places
from .shop import Purse, Shop
from .sky import time_of_day
from .tutorial import Tutorial


class Away(Row):
    """To which room a character was sent from here. Keyed by the player's id."""

    room: str


class Luggage(Event):
    """A character on its way between two rooms."""

    player: str
    place: str
    hp: int
    coins: int
    things: list[str]
    quiet: tuple[str, ...] = ()


class Mud(Game):
    away: Table[Away]

    def join(self, player: Player) -> None:
        if player.id not in self.room[Places].people:
            away = self.away.peek(player.id)
            if away or self.room.id != HOME_ROOM:
                player.go(away.room if away else HOME_ROOM)
                return
            self.welcome(player)
        else:
            self.room[Places].describe(player)
        self.say(f"{player} appears.", to=self.room[Places].around(player))
        self.room[Places].show_crowd(self.room[Places].place_of(player))

    def rejoin(self, player: Player) -> None:
        """They logged in again while they played, and their new window is empty."""
        if player.id in self.room[Places].people:
            self.room[Places].describe(player)

    def welcome(self, player: Player) -> None:
        """Make a character for somebody who has none."""
        self.unpack(Luggage(player.id, HOME, Health().hp, Purse().coins, ["apple"]))
        player.tell("Welcome to Underbridge! You have ten coins and an apple. Type 'help' for what you can do.")
        self.room[Places].describe(player)
        self.room[Tutorial].begin(player)

    def leave(self, player: Player) -> None:
        if player.id in self.room[Places].people:
            self.say(f"{player} fades away.", to=self.room[Places].around(player))
            self.room[Places].show_crowd(self.room[Places].place_of(player), but=player)

    def input(self, player: Player, line: str) -> bool:
        """The name of a way alone means to go there."""
        if line.strip().lower() not in WAYS:
            return False
        self.room[Places].go(player, line.strip())
        return True

    def prompt(self, player: Player) -> str:
        """What a player sees before the cursor: how they are, and what time of day it is."""
        health = self.room[Combat].health.peek(player.id)
        if health is None:
            return ""
        return f"{health.hp} hp " if player.screenreader else f"<{health.hp}hp {time_of_day(self.room.now)}> "

    def gmcp(self, player: Player) -> dict[str, object]:
        """What else a client may want to know of a player; places and combat tell their own part."""
        purse, fight = self.room[Shop].purses.peek(player.id), self.room[Combat].fights.peek(player.id)
        if purse is None:
            return {}
        return {"Char.Status": {"name": player.name, "coins": purse.coins, "fighting": fight.breed if fight else ""}}

    @on(Crossing)
    def send(self, event: Crossing) -> None:
        player = self.room.players.get(event.player)
        if player:
            here, room = self.room[Places].place_of(player), PLACES[event.place].room
            self.room.mail(room, self.pack(player, event.place))
            self.away[player.id] = Away(room)
            player.go(room)
            self.room[Places].show_crowd(here)

    @on(Luggage)
    def receive(self, luggage: Luggage) -> None:
        self.away.pop(luggage.player, None)
        self.unpack(luggage)

    @on(Forgotten)
    def forget(self, event: Forgotten) -> None:
        self.away.pop(event.player, None)

    def pack(self, player: Player, place: str) -> Luggage:
        """Take a character out of this room's tables."""
        items = self.room[Items]
        things = [items.things.pop(number).kind for number, _ in items.at(hand(player))]
        del self.room[Places].people[player.id]
        self.room[Combat].stop(player.id)
        hp = self.room[Combat].health.pop(player.id).hp
        coins = self.room[Shop].purses.pop(player.id).coins
        quiet = self.room[Channels].quiet.pop(player.id, Quiet([])).channels
        return Luggage(player.id, place, hp, coins, things, tuple(quiet))

    def unpack(self, luggage: Luggage) -> None:
        """Put a character into this room's tables."""
        self.room[Places].people[luggage.player] = Person(luggage.place)
        self.room[Combat].health[luggage.player] = Health(luggage.hp)
        self.room[Shop].purses[luggage.player] = Purse(luggage.coins)
        if luggage.quiet:
            self.room[Channels].quiet[luggage.player] = Quiet(list(luggage.quiet))
        for kind in luggage.things:
            self.room[Items].make(kind, f"@{luggage.player}")
