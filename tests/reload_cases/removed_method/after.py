# file: items.py
class Thing:
    def look(self):
        return "a thing"


class Sword(Thing):
    pass
