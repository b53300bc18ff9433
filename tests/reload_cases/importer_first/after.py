# file: armoury.py
from .smithy import forge, temper


def order():
    return temper(forge())
# file: smithy.py
def forge():
    return "steel"


def temper(metal):
    return f"tempered {metal}"
