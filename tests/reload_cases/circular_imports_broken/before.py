# file: items.py
from . import talk

PRICE = 10
# file: talk.py
from . import items

WORD = "sold"


def say():
    return f"{WORD} for {items.PRICE}"
