# file: items.py
class Sword:
    pass


def is_sword(thing):
    return isinstance(thing, Sword)
