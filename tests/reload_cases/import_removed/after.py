# file: items.py
PRICE = 10
# file: talk.py
def price():
    return 0
