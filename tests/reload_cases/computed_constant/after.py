# file: items.py
PRICE = 11
# file: shop.py
from . import items

DOZEN = items.PRICE * 12
# file: talk.py
from .shop import DOZEN

OFFER = f"a dozen for {DOZEN}"
