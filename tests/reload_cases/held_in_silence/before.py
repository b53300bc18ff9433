# file: talk.py
WORD = "hello"


def greet():
    return WORD
