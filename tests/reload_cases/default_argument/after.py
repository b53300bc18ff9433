# file: talk.py
def greet(name="friend"):
    return f"hello, {name}"
