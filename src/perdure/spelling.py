"""What somebody must have meant who mistyped a word."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable

LIKE_MIN = 0.6
"""Words that are less alike are no typing error: difflib's ratio, and its own default."""
NAME_LIKE_MIN = 0.5
"""The same of names: the choice is small, and who is told a wrong one sees the others beside it."""


def meant(word: str, known: Iterable[str], like_min: float = LIKE_MIN) -> str:
    """The one of `known` that is most like `word`; "" where none is like it."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=like_min)
    return near[0] if near else ""


def unaccented(name: str) -> str:
    """`name` as it is typed on a keyboard without accents, in small letters."""
    return "".join(char for char in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(char))
