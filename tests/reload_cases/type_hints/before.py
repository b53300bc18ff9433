# file: items.py
from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Sword:
    smith: Smith
    marks: list[Mark]


class Smith:
    town = "Ulm"


class Mark:
    pass
