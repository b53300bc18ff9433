# file: items.py
PRICE = 10
# file: talk.py
import importlib


def price(module):
    return importlib.import_module(module, __package__).PRICE
