# file: items.py
PRICE = 12
# file: market/__init__.py
from .. import items
from ..items import PRICE
# file: market/stall.py
from .. import items as goods
from ..items import PRICE as price
from . import PRICE as asked


def prices():
    return goods.PRICE, price, asked
