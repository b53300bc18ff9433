# file: items.py
KINDS = ["sword", "axe"]


class Sword:
    edge = sharp
