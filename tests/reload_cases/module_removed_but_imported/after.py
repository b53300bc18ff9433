# file: talk.py
from .shop import PRICE


def offer():
    return f"a mug for {PRICE}"
