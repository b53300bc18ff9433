# file: items.py
class Sword:
    edge = "sharp"


def is_sword(thing):
    return isinstance(thing, Sword)
