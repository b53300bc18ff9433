"""Words for reports: names in a row, numbers with their nouns, places as an author knows them."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence

from perdure.spelling import NAME_LIKE_MIN

ADMINS_ONLY = "Only admins may do that."
NAMED_MAX = 8
"""Names in one line for people; of further ones only the number is told."""
CHOICES_MAX = 12
"""Names from which somebody may choose the one that was meant."""


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


def opened(text: str) -> str:
    """`text` as a sentence of its own, with a capital, unless it begins with a name (host-1, inn.py, mud:)."""
    line = sentence(text)
    first = line.partition(" ")[0].rstrip(".,;!?")
    return line[:1].upper() + line[1:] if first.isalpha() else line


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


def unknown(kind: str, given: str, known: Collection[str], meant: Collection[str] = (), *, of: str = "") -> str:
    """That there is no such thing, the nearest name that there is, and the first of all.

    Args:
        meant: What the name may have been meant to be like; `given` itself where this is empty.
        of: What has it, or would, if it is not the server.
    """
    names = sorted(name for name in known if name)
    words = meant or [given]
    alike = [(difflib.SequenceMatcher(None, word, name).ratio(), name) for word in words for name in names]
    likeness, near = max(alike, default=(0.0, ""))
    hint = f" Did you mean {near}?" if likeness >= NAME_LIKE_MIN else ""
    more = ", …" if len(names) > CHOICES_MAX else ""
    only = len(names) == 1
    have = ("It has only" if only else "It has") if of else ("The only one is" if only else "There are")
    none = " It has none." if of else " There is none."
    among = f" {have} {', '.join(names[:CHOICES_MAX])}{more}." if names else none
    has = f"{of} has " if of else ""
    return f"{has}no {kind} {given!r}.{hint}{among} Nothing was changed."
