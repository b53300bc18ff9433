# file: items.py
KINDS = ["sword"]


class Sword:
    edge = "sharp"
