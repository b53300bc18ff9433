# file: talk.py
import atexit

WORD = "hello"


def bye():
    pass


atexit.register(bye)
HOOKS = atexit._ncallbacks
