# file: items.py
from dataclasses import dataclass, field


@dataclass(order=True)
class Sword:
    edge: int = 5
    runes: list = field(default_factory=list)
# file: talk.py
from dataclasses import asdict, replace

from .items import Sword


def sharpened(sword):
    return asdict(replace(sword, edge=sword.edge + 1))


def same(a, b):
    return a == b
