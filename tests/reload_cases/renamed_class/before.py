# file: items.py
class Sword:
    edge = "sharp"
# file: talk.py
from .items import Sword


def edge():
    return Sword.edge
