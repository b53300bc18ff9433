# file: items.py
PRICE = 12
# file: talk.py
import world.items
import world.items as goods
from world import items
from world.items import PRICE


def prices():
    return world.items.PRICE, goods.PRICE, items.PRICE, PRICE
