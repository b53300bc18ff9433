# file: items.py
from dataclasses import dataclass


@dataclass
class Sword:
    edge: str = "sharp"


def describe(sword):
    return f"a {sword.edge} sword"
