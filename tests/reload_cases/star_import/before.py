# file: items.py
SWORD = "a sword"
# file: talk.py
from .items import *


def wares():
    return sorted(name for name in globals() if name.isupper())
