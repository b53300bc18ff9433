# file: items.py
PRICE = 10
# file: talk.py
from . import items
from .items import PRICE


def price():
    return PRICE
