# file: talk.py
GREETING = "good evening"


def greet():
    return f"{GREETING}, dear {NAME}"


NAME = ["friend"][1]
