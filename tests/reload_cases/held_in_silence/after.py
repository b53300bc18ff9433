# file: talk.py
WORD = "good evening"


def greet():
    return WORD
