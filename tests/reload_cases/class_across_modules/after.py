# file: items.py
class Sword:
    def swing(self):
        return "woosh"


class Broken(Exception):
    pass
# file: shop.py
from .items import Broken, Sword


def sell():
    return Sword()


def mend():
    raise Broken
# file: talk.py
from . import items, shop


def buy():
    return isinstance(shop.sell(), items.Sword)


def complain():
    try:
        shop.mend()
    except items.Broken:
        return "mended"
