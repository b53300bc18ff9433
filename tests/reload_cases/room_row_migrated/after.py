# file: game.py
from perdure import Game, Row, Table, command, migrate


class Hero(Row):
    health: str


@migrate(Hero, 1)
def spell_out(old):
    return {"health": "x" * old["hp"]}


@migrate(Hero, 2, to=1)
def count(new):
    return {"hp": len(new["health"])}


class World(Game):
    version = 2
    heroes: Table[Hero]

    @command("hurt")
    def hurt(self, player):
        hero = self.heroes.setdefault(player.id, Hero("x" * 10))
        hero.health = hero.health[1:]
        player.tell(f"{hero.health} left.")
