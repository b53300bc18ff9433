# file: shop/__init__.py
from .goods import PRICE, Mug
# file: shop/goods.py
PRICE = 12


class Mug:
    sips = 6
# file: talk.py
from . import shop


def offer():
    return shop.PRICE, shop.Mug.sips, shop.goods.PRICE
