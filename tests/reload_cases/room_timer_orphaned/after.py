# file: game.py
from perdure import Game, command


class World(Game):
    @command("light NAME")
    def light(self, player, name):
        player.tell("It is wet.")
