# file: game.py
from perdure import Game, command


class World(Game):
    @command("dance")
    def dance(self, player):
        player.tell("You dance.")
