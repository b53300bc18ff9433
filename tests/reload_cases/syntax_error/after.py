# file: shop.py
OFFER = "plates"
# file: talk.py
def greet():
    return ("good evening"
