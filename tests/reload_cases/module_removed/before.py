# file: shop.py
PRICE = 10
# file: talk.py
from .shop import PRICE


def offer():
    return f"a mug for {PRICE}"
