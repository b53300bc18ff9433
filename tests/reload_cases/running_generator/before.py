# file: talk.py
def first():
    return ["a", "b"]


def last(said):
    return "+".join(said)


def story():
    said = first()
    yield "once"
    yield last(said)
