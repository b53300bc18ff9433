# file: registry.py
commands = []


def command(function):
    commands.append(function)
    return function


def known():
    return sorted(function.__name__ for function in commands)
# file: talk.py
from .registry import command


@command
def say():
    return "good evening"
