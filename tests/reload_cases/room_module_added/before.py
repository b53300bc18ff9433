# file: game.py
from perdure import Game


class World(Game):
    pass
