# file: talk.py
def fetch(gate):
    gate.wait(20)
    from .words import formal

    return formal("hello")
# file: words.py
def formal(text):
    return text + ", if you please"
