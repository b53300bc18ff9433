# file: items.py
def mass():
    return 4
# file: shop.py
OFFER = "plates"
# file: talk.py
from .items import mass


def describe():
    return f"{mass()} pounds
