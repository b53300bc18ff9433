# file: items.py
from dataclasses import dataclass


@dataclass
class Sword:
    edge: str = "sharp"
    weight: int = 3


def describe(sword):
    return f"a {sword.edge} sword of {sword.weight} pounds"
