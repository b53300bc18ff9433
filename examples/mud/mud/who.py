"""Who is about, in both rooms: each tells the other who came and who went, and keeps what it was told.

A room never sees into another one. Mail comes in the order in which it was sent, and exactly once, so the two
agree after every crash.
"""

from perdure import Event, Module, Player, Row, Table, command, on

from .places import ROOMS
from .words import listing


class Elsewhere(Row):
    """A player in another room. Keyed by the player's id."""

    name: str
    room: str


class Came(Event):
    """A player has come into the room that sends this."""

    player: str
    name: str


class Went(Event):
    """A player has left the room that sends this."""

    player: str


class Who(Module):
    elsewhere: Table[Elsewhere]

    def join(self, player: Player) -> None:
        self.tell_others(Came(player.id, player.name))

    def leave(self, player: Player) -> None:
        self.tell_others(Went(player.id))

    def tell_others(self, event: Event) -> None:
        """Mail an event to all rooms but this one."""
        for room in ROOMS:
            if room != self.room.id:
                self.room.mail(room, event)

    @on(Came)
    def came(self, event: Came, room: str) -> None:
        self.elsewhere[event.player] = Elsewhere(event.name, room)

    @on(Went)
    def went(self, event: Went, room: str) -> None:
        if event.player in self.elsewhere and self.elsewhere[event.player].room == room:
            del self.elsewhere[event.player]

    @command("who", help="See who is about.")
    def who(self, player: Player) -> None:
        here = sorted(other.name for other in self.room.players)
        player.tell(listing(player, f"{len(here)} here in the {self.room.id}", here))
        for room in ROOMS:
            away = sorted(other.name for _, other in self.elsewhere.scan() if other.room == room)
            if away and room != self.room.id:
                player.tell(listing(player, f"{len(away)} in the {room}", away))
