# file: shop.py
PRICE = 10
PRICE.sell()
# file: talk.py
def greet():
    return "good evening"
