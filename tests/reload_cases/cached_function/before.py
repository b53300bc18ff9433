# file: items.py
PRICE = 10
# file: talk.py
from functools import cache

from . import items


@cache
def price():
    return items.PRICE * 2
