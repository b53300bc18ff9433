# file: game.py
from perdure import Game, Row, Table, command


class Hero(Row):
    hp: int = 10


class World(Game):
    heroes: Table[Hero]

    @command("hurt")
    def hurt(self, player):
        hero = self.heroes.setdefault(player.id, Hero())
        hero.hp -= 1
        player.tell(f"{hero.hp} left.")
