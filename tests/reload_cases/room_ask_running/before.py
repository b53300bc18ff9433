# file: game.py
import os
import time

from perdure import Game, command


def look_up(path):
    deadline = time.monotonic() + 20
    while not os.path.exists(path) and time.monotonic() < deadline:
        time.sleep(0.005)
    return polite("salt")


def polite(text):
    return f"{text}, please"


class World(Game):
    @command("ask PATH")
    def ask(self, player, path):
        self.room.ask(look_up, path, then=self.answered)
        player.tell("One moment.")

    def answered(self, answer):
        self.say(f"Old: {answer.value}")
