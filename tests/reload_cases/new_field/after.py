# file: items.py
class Sword:
    def __init__(self):
        self.edge = "sharp"
        self.weight = 3


def describe(sword):
    return f"a {sword.edge} sword of {sword.weight} pounds"
