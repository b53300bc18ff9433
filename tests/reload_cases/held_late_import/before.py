# file: items.py
PRICE = 10
# file: talk.py
def price():
    from .items import PRICE

    return PRICE
