# file: items.py
class Sword:
    def weight(self):
        return 3
