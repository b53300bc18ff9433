# file: talk.py
import atexit

WORD = "good evening"


def bye():
    pass


atexit.register(bye)
HOOKS = atexit._ncallbacks
