# file: kinds.py
from perdure import Row


class Kind(Row):
    name: str
    legs: int = 4

    def describe(self):
        return f"{self.name}, {self.legs} legs"


KINDS = {"wolf": Kind("a wolf"), "crow": Kind("a crow", 2)}
# file: game.py
from perdure import Game, command

from .kinds import KINDS


class World(Game):
    @command("look KIND")
    def look(self, player, kind):
        player.tell(KINDS[kind].describe())
