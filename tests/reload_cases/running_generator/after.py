# file: talk.py
def first():
    return {"words": 2}


def last(said):
    return said["words"]


def story():
    said = first()
    yield "once"
    yield last(said)
