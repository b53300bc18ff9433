# file: talk.py
def offer():
    return "nothing"
