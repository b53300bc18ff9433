# file: items.py
class Sword:
    @property
    def weight(self):
        return 4
