# file: items.py
class Sword:
    def __init__(self):
        self.swings = 0

    def swing(self):
        self.swings += 1
        return f"swish {self.swings}"
