# file: items.py
def weight():
    return 3
# file: shop.py
OFFER = "mugs"
# file: talk.py
from .items import weight


def describe():
    return f"{weight()} pounds"
