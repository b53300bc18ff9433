# file: talk.py
def where():
    return __name__.rpartition(".")[2], __file__.rpartition("/")[2], __package__ is not None, "new"


class Word:
    pass


def home():
    import sys

    return getattr(sys.modules[Word.__module__], "Word") is Word
