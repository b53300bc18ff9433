# file: manners.py
from functools import wraps


def polite(function):
    @wraps(function)
    def wrapped(*args):
        return function(*args) + ", please"

    return wrapped
# file: talk.py
from .manners import polite


@polite
def ask(what):
    return what
