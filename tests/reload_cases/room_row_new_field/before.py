# file: game.py
from perdure import Game, Row, Table, command


class Sword(Row):
    edge: str = "sharp"


class World(Game):
    swords: Table[Sword]

    @command("take")
    def take(self, player):
        self.swords[player.id] = Sword("keen")
        player.tell("Taken.")

    @command("look")
    def look(self, player):
        player.tell(f"A {self.swords[player.id].edge} sword.")
