# file: talk.py
guests = {}


def enter(name):
    guests[name] = "new"
    return len(guests)


def greet():
    return "hello"
