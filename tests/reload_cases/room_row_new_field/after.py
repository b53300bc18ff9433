# file: game.py
from perdure import Game, Row, Table, command


class Sword(Row):
    edge: str = "sharp"
    weight: int = 3


class World(Game):
    swords: Table[Sword]

    @command("take")
    def take(self, player):
        self.swords[player.id] = Sword("keen")
        player.tell("Taken.")

    @command("look")
    def look(self, player):
        sword = self.swords[player.id]
        player.tell(f"A {sword.edge} sword of {sword.weight} pounds.")
        sword.weight += 1
