"""Guests play without an account and never come back: their id is that of one session, and nobody has it again.

So what is kept of a guest is dropped when they go, in all rooms: the event `Forgotten` is emitted here and mailed to
the others, and each module answers it for its own tables.
"""

from perdure import Module, Player, every

from .places import ROOMS, Forgotten, Places

SWEPT_MAX = 50
"""So many guests at a time are looked for and forgotten: a callback is short, and the next one comes soon."""
PATIENCE_S = 60.0
"""How long a guest who walks into another room may take to follow their character there."""


class Guests(Module):
    def leave(self, player: Player) -> None:
        """A guest whose character is here goes for good. One who walks into the other room has sent it ahead."""
        if is_guest(player.id) and player.id in self.room[Places].people:
            self.forget(player.id)

    def forget(self, player_id: str) -> None:
        """Drop what is kept of a guest, in all rooms."""
        self.room.emit(Forgotten(player_id))
        for room in ROOMS:
            if room != self.room.id:
                self.room.mail(room, Forgotten(player_id))

    @every(minutes=10)
    def look(self) -> None:
        """Look for guests who are not here: they quit between two rooms, or before this module was there."""
        missing = [id for id in self.room[Places].people if is_guest(id) and self.room.players.get(id) is None]
        if missing:
            self.room.after(PATIENCE_S, self.sweep, missing[:SWEPT_MAX])

    def sweep(self, missing: list[str]) -> None:
        """Forget those who have not come since."""
        for id in missing:
            if id in self.room[Places].people and self.room.players.get(id) is None:
                self.forget(id)


def is_guest(player_id: str) -> bool:
    """Whether an id is a guest's."""
    return player_id.startswith("guest:")
