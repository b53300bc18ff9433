# file: armoury.py
from .smithy import forge


def order():
    return forge()
# file: smithy.py
def forge():
    return "iron"
