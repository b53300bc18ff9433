# file: wolves.py
class Creature:
    def speak(self):
        return "grunt"


class Wolf(Creature):
    def speak(self):
        return super(Wolf, self).speak() + ", howl"
