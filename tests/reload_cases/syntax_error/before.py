# file: shop.py
OFFER = "mugs"
# file: talk.py
def greet():
    return "hello"
