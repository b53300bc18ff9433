"""A game. Every file beside this one is a part of it: add some, and import them with `from . import …`."""
