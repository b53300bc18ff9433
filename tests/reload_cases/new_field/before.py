# file: items.py
class Sword:
    def __init__(self):
        self.edge = "sharp"


def describe(sword):
    return f"a {sword.edge} sword"
