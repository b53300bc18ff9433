# file: items.py
PRICE = 12
# file: talk.py
def price():
    from .items import PRICE

    return PRICE
