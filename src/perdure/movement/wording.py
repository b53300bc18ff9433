"""Words for reports: names in a row, numbers with their nouns, places as an author knows them."""

from __future__ import annotations

from collections.abc import Sequence

NAMED_MAX = 8
"""Names in one line for people; of further ones only the number is told."""


def listed(names: Sequence[str]) -> str:
    """ "a, b, c and 12 more"."""
    more = len(names) - NAMED_MAX
    return ", ".join(names[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")


def counted(number: int, noun: str) -> str:
    """ "1 room", "14 rooms"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def be(number: int, *, past: bool = False) -> str:
    """is, are, was or were."""
    if past:
        return "was" if number == 1 else "were"
    return "is" if number == 1 else "are"


def take(number: int) -> str:
    """takes or take."""
    return "takes" if number == 1 else "take"


def sentence(text: str) -> str:
    """`text` as one line that ends as a sentence does."""
    line = " ".join(text.split())
    return line if line.endswith((".", "!", "?")) else line + "."


def place(module: str, file: str, line: int) -> str:
    """The file as its author knows it, inside the game, with the line; the module where no file is to blame.

    Args:
        module: Dotted name inside the game, or the path of a data file inside it.
        file: The whole path, or "".
        line: 1-based, or 0.
    """
    if not file:
        return module or "the game"
    parts = file.split("/")
    depth = 1 + module.count("/" if module.endswith(".toml") else ".") + (parts[-1] == "__init__.py")
    return "/".join(parts[-depth:]) + (f":{line}" if line else "")
