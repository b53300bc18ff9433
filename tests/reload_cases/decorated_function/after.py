# file: talk.py
from functools import wraps


def polite(function):
    @wraps(function)
    def wrapped(*args):
        return function(*args) + ", please"

    return wrapped


@polite
def ask(what):
    return f"some {what}"
