# file: talk.py
GREETING = "hello"


def greet():
    return f"{GREETING} {NAME}"


NAME = "stranger"
