# file: game.py
from perdure import Game, command


class World(Game):
    @command("buy")
    def buy(self, player):
        player.ask("How many?", self.sell, "mug")

    def sell(self, player, count, what):
        player.tell(f"{count} fine {what}s for you.")
