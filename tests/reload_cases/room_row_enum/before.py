# file: game.py
from enum import Enum

from perdure import Game, Row, Table, command


class Mood(Enum):
    CALM = "calm"
    ANGRY = "angry"


class Hero(Row):
    mood: Mood = Mood.CALM


class World(Game):
    heroes: Table[Hero]

    @command("insult")
    def insult(self, player):
        self.heroes.setdefault(player.id, Hero()).mood = Mood.ANGRY
        player.tell("Grr.")

    @command("look")
    def look(self, player):
        player.tell(f"{self.heroes[player.id].mood is Mood.ANGRY}")
