"""What means more than itself in a text: colours, what controls a terminal, and the marks of structured text.

Marks travel from a game to the gateway. They are noncharacters, which no text of anybody has: Unicode keeps U+FDD0 to
U+FDEF for a program's own use. The gateway removes them from whatever players send, so a mark in a room's output was
put there by the game.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, get_args

Colour = Literal["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"]
COLOURS: Mapping[str, int] = {name: 30 + number for number, name in enumerate(get_args(Colour))}
"""The colours that every terminal has -> SGR parameter (ECMA-48, 8.3.117)."""

CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
"""Inside a character class: C0 but tab and newline, DEL, C1, line separators, bidi controls, surrogates."""

LINK, LINK_TEXT, LINK_END = "\ufdd0", "\ufdd1", "\ufdd2"
"""A link is LINK, what is sent, LINK_TEXT, what is shown, LINK_END; all on one line, and none inside another."""
MARKS = "\ufdd0-\ufdef"
"""All marks, for a regular expression's brackets."""
LINKS = re.compile(f"{LINK}([^{MARKS}\n]*){LINK_TEXT}([^{MARKS}\n]*){LINK_END}")
"""A whole link: group 1 is sent, group 2 is shown."""

_marks = re.compile(f"[{MARKS}]")


def link(text: str, send: str) -> str:
    """`text` as a link that sends the line `send` as if the player had typed it.

    Raises:
        ValueError: `send` or `text` is empty, or has a line end or a mark in it.
    """
    for part in (text, send):
        if not part or "\n" in part or "\r" in part or _marks.search(part):
            raise ValueError(f"{part!r} cannot be part of a link: it needs one line of text, without another link")
    return f"{LINK}{send}{LINK_TEXT}{text}{LINK_END}"


def unmarked(text: str) -> str:
    """`text` as it reads where links cannot be shown; broken marks are removed."""
    if text.isascii():
        return text
    return _marks.sub("", LINKS.sub(r"\2", text))
