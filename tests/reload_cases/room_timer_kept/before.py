# file: game.py
from perdure import Game, command, every


class World(Game):
    @every(seconds=10)
    def chime(self):
        self.say("Ding.")

    @command("light NAME")
    def light(self, player, name):
        self.room.after(5, self.explode, name)
        player.tell("It fizzes.")

    def explode(self, name):
        self.say(f"{name} explodes!")
