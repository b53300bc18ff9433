# file: talk.py
def line():
    return "tick"


def lines():
    while True:
        yield line()
