# file: items.py
from . import talk

PRICE = 12
# file: talk.py
from . import items

WORD = "given away"
WORD.sell()


def say():
    return f"{WORD} for {items.PRICE}"
