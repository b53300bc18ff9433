# file: dances.py
from perdure import Module, command


class Dances(Module):
    @command("dance", help="Dance like nobody watches.")
    def dance(self, player):
        player.tell("You dance.")
# file: game.py
from perdure import Game, command


class World(Game):
    @command("sing", help="Sing a song.")
    def sing(self, player):
        player.tell("You sing.")
