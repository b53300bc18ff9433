# file: talk.py
def greet():
    return "hello"


def shout():
    return "HELLO"
