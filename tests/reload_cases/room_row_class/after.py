# file: items.py
from perdure import Row


class Sword(Row):
    edge: str = "sharp"

    def swing(self):
        return "woosh"
# file: game.py
from perdure import Game, Table, command

from .items import Sword


class World(Game):
    swords: Table[Sword]

    @command("take")
    def take(self, player):
        self.swords[player.id] = Sword()
        player.tell("Taken.")

    @command("swing")
    def swing(self, player):
        sword = self.swords[player.id]
        player.tell(f"{sword.swing()}, {isinstance(sword, Sword)}")
