# file: items.py
PRICE = 12
# file: talk.py
from .items import PRICE


def price():
    return f"{PRICE} coins"
