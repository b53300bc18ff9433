# file: game.py
from enum import Enum

from perdure import Game, Row, Table, command, migrate


class Mood(Enum):
    CALM = "calm"
    ANGRY = "angry"
    SAD = "sad"


class Hero(Row):
    mood: Mood = Mood.CALM


@migrate(Hero, 1)
def same(old):
    return old


@migrate(Hero, 2, to=1)
def less(new):
    return {"mood": "angry" if new["mood"] == "sad" else new["mood"]}


class World(Game):
    version = 2
    heroes: Table[Hero]

    @command("insult")
    def insult(self, player):
        self.heroes.setdefault(player.id, Hero()).mood = Mood.SAD
        player.tell("Sniff.")

    @command("look")
    def look(self, player):
        player.tell(f"{self.heroes[player.id].mood is Mood.ANGRY}")
