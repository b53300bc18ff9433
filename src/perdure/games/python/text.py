"""Functions from text to text: styles, links, and names as they are looked for.

What a client cannot show of a style or a link, its gateway removes.
"""

from __future__ import annotations

from perdure import markup, spelling
from perdure.errors import GameError
from perdure.markup import Colour


def bold(text: str) -> str:
    """`text`, in bold."""
    return f"\x1b[1m{text}\x1b[22m"


def color(text: str, name: Colour) -> str:
    """`text`, in one of the eight colours that every terminal has."""
    return f"\x1b[{markup.COLOURS[name]}m{text}\x1b[39m"


def linked(text: str, send: str) -> str:
    """`text` as a link: whoever follows it sends the line `send`, as if they had typed it.

    Clients that know no links show the text alone, so it had better say what to type.

    Raises:
        GameError: One of the two is empty, has a line end in it, or holds a link.
    """
    try:
        return markup.link(text, send)
    except ValueError as error:
        raise GameError(f"linked({text!r:.60}, send={send!r:.60}): {error}.") from None


def unaccented(name: str) -> str:
    """`name` as it is typed on a keyboard without accents, in small letters.

    It is to look for somebody by, as `players.named` does, and never to tell two apart: Zoe and Zoë are two names.
    """
    return spelling.unaccented(name)
