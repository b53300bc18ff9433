# file: items.py
class Blade:
    edge = "keen"
# file: talk.py
from .items import Sword


def edge():
    return Sword.edge
