# file: talk.py
def greet(name="stranger"):
    return f"hello, {name}"
