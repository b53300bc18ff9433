# file: talk.py
GREETING = "hello"
