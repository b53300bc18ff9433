# file: talk.py
def line():
    return "tock"


def lines():
    while True:
        yield line()
