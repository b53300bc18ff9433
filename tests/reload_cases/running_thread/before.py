# file: talk.py
def fetch(gate):
    gate.wait(20)
    from .words import polite

    return polite("hello")
# file: words.py
def polite(text):
    return text + ", please"
