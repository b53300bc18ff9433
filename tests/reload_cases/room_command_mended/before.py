# file: game.py
from perdure import Game, command


class World(Game):
    @command("dance")
    def dance(self, player):
        player.tell(f"You dance {1 / 0} times.")
