# file: events.py
from perdure import Event


class Died(Event):
    name: str
# file: graves.py
from perdure import Module, on

from .events import Died


class Graves(Module):
    @on(Died)
    def bury(self, died):
        self.say(f"{died.name} is buried.")
# file: game.py
from perdure import Game, command

from .events import Died


class World(Game):
    @command("slay NAME")
    def slay(self, player, name):
        self.room.emit(Died(name))
