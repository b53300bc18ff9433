# file: talk.py
def greeter(name):
    def greet():
        return f"good evening, {name}"

    return greet
