# file: items.py
from . import talk

PRICE = 10


def sell():
    return talk.say("sold")
# file: talk.py
from . import items


def say(text):
    return f"{text} for {items.PRICE}"
