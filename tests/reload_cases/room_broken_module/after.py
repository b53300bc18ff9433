# file: dances.py
from perdure import Module, command


class Dances(Module):
    @command("dance", rhythm=3)
    def dance(self, player):
        player.tell("You waltz.")
# file: game.py
from perdure import Game, command


class World(Game):
    @command("sing")
    def sing(self, player):
        player.tell("You sing a song.")
