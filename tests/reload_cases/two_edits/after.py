# file: items.py
def weight(unit):
    return {"pounds": 3, "kilos": 1.4}[unit]
# file: talk.py
from .items import weight


def describe():
    return f"{weight('kilos')} kilos"
