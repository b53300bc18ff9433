# file: talk.py
def greet():
    return "howdy"
