"""!greet NAME: says hello, in the words of another module."""

from .words import HELLO


def run(text: str) -> str:
    return f"{HELLO}, {text or 'whoever you are'}!"
