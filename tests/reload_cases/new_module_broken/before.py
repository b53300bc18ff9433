# file: talk.py
def greet():
    return "hello"
