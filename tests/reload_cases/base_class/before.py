# file: creatures.py
class Creature:
    def speak(self):
        return "grunt"
# file: wolves.py
from .creatures import Creature


class Wolf(Creature):
    def speak(self):
        return super(Wolf, self).speak() + ", howl"
