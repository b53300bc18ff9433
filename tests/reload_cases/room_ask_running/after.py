# file: game.py
import os
import time

from perdure import Game, command


def look_up(path):
    return {"text": "salt"}


def polite(text):
    return f"{text['text']}, if you please"


class World(Game):
    @command("ask PATH")
    def ask(self, player, path):
        self.room.ask(look_up, path, then=self.answered)
        player.tell("One moment.")

    def answered(self, answer):
        self.say(f"New: {answer.value}")
