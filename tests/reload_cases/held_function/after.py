# file: talk.py
def greet():
    return "good evening"
