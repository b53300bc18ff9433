# file: game.py
from perdure import Game, command


class World(Game):
    @command("dance", "jig", help="Dance a jig.")
    def dance(self, player):
        player.tell("You dance a jig.")
