# file: game.py
from perdure import Game, command


class World(Game):
    @command("sing", help="Sing a song.")
    def sing(self, player):
        player.tell("You sing.")
