# file: items.py
class Sword:
    def swing(self):
        return "woosh"
