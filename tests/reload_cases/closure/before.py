# file: talk.py
def greeter(name):
    def greet():
        return f"hello, {name}"

    return greet
