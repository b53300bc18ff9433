"""A text as one client sees it: links, colours, wrapping, what is read aloud, and the letters it knows.

`render` is a function of the text and of how the client shows text, so what many clients are told is rendered
once for all of them that look alike. The steps, in order: clean; what is read aloud; links; letters; colours; wrap.

Every text stands alone: what it leaves on is closed at its end, and a link is closed on its line.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from urllib.parse import quote

import msgspec
from anyascii import anyascii

from perdure.gateway.look import Colours, Encoding, Look
from perdure.gateway.terminal.sgr import SGR, Style, closed
from perdure.gateway.terminal.text import clean
from perdure.gateway.terminal.wrap import LINK_CLOSE, SEQUENCE, wrapped
from perdure.markup import LINK, LINK_TEXT, LINKS, MARKS, unmarked

CACHED_TEXTS_MAX = 1024
CACHED_CHARS_MAX = 4096
"""Longer texts are rendered each time: the caches stay at some MiB, and long texts are rare."""


class Linked(msgspec.Struct, frozen=True):
    """A part of a text that sends a line when it is chosen. `text` may have SGR in it; `send` has none."""

    text: str
    send: str


def render(text: str, look: Look) -> str:
    """What a text terminal of this look is sent for `text`: lines end with CR LF, nothing is left on or open.

    "" if there is nothing to be seen in it, not even a line's end.
    """
    key = text, look.columns, look.encoding, look.colours, look.links, look.screenreader
    return _cached(*key) if len(text) <= CACHED_CHARS_MAX else _rendered(*key)


def parts(text: str, look: Look) -> tuple[str | Linked, ...]:
    """What a client that has its own links and its own window is given: no line is wrapped, and lines end with LF.

    What SGR a part leaves on is on in the next; the last leaves nothing on.
    """
    key = text, look.colours, look.links, look.screenreader
    return _cached_parts(*key) if len(text) <= CACHED_CHARS_MAX else _parts(*key)


def encode(text: str, encoding: Encoding) -> bytes:
    """Rendered text in the client's encoding; letters that it has not are written with those it has."""
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        return transliterated(text, encoding).encode(encoding, "replace")


def transliterated(text: str, encoding: Encoding) -> str:
    """`text` with the letters of this encoding only: "ł" as "l", "猫" as "Mao", "—" as "-"."""
    if encoding == "utf-8" or text.isascii():
        return text
    return SEQUENCE.sub(lambda found: found[1] or _letters(found[0], encoding), text)


def spoken(text: str) -> str:
    """A cleaned text as it is read aloud: without SGR and without what is drawn rather than written.

    Lines of nothing but drawing are gone, other drawing is a space, and of empty lines one after another one is kept.
    """
    lines: list[str] = []
    *whole, unfinished = SGR.sub("", text).split("\n")
    for line in whole:
        words = _without_drawing(line)
        if words or (not line and lines[-1:] != ["\n"]):
            lines.append(f"{words}\n")
    return "".join(lines) + _without_drawing(unfinished)


def _rendered(text: str, columns: int, encoding: Encoding, colours: Colours, links: bool, screenreader: bool) -> str:
    if not screenreader and text.isascii() and text.replace("\n", "").isprintable() and _fits(text, columns):
        return text.replace("\n", "\r\n")  # most of what games say
    text = clean(text)
    text = spoken(text) if screenreader else text
    text = LINKS.sub(_osc_8, text) if links else unmarked(text)
    text = transliterated(text, encoding)
    if "\x1b" in text:
        text = _coloured(text, colours)
    if columns:
        text = "\n".join(_lines(text, columns))
    return text.replace("\n", "\r\n")


def _parts(text: str, colours: Colours, links: bool, screenreader: bool) -> tuple[str | Linked, ...]:
    text = clean(text)
    text = spoken(text) if screenreader else text
    text = text if links else unmarked(text)
    style = Style(colours)
    found: list[str | Linked] = []
    end = 0
    for link in LINKS.finditer(text):
        found += [style.limited(text[end : link.start()]), Linked(style.limited(link[2]), link[1])]
        end = link.end()
    found.append(closed(style.limited(text[end:]), style))
    return tuple(part for part in found if part) if SGR.sub("", text) else ()


_cached = lru_cache(maxsize=CACHED_TEXTS_MAX)(_rendered)
_cached_parts = lru_cache(maxsize=CACHED_TEXTS_MAX)(_parts)


def _fits(text: str, columns: int) -> bool:
    """Whether no line of plain ASCII is longer than the window is wide."""
    return not columns or len(text) <= columns or all(len(line) <= columns for line in text.split("\n"))


def _lines(text: str, columns: int) -> list[str]:
    lines: list[str] = []
    for line in text.split("\n"):
        short = len(line) <= columns and line.isascii() and "\t" not in line
        lines += [line] if short else wrapped(line, columns)
    return lines


def _osc_8(link: re.Match[str]) -> str:
    """A link as the clients for MUDs know it: what is sent, in UTF-8, with all but letters and digits escaped."""
    return f"\x1b]8;;send:{quote(link[1], safe='')}\x1b\\{link[2]}{LINK_CLOSE}"


def _coloured(text: str, colours: Colours) -> str:
    style = Style(colours)
    text = closed(style.limited(text), style)
    return text if SGR.sub("", text) else ""


# --- letters ---

_not_latin_1 = re.compile("[^\x00-\xff]+")


def _letters(text: str, encoding: Encoding) -> str:
    if text.isascii():
        return text
    text = unicodedata.normalize("NFC", text)
    if encoding == "latin-1":
        return _not_latin_1.sub(lambda found: anyascii(found[0]), text)
    return anyascii(text)


# --- read aloud ---

_DRAWN = (
    "[\u2500-\u259f\U0001fb00-\U0001fbff]"  # box drawing, block elements, and the mosaics of old computers
    r"|([-=*~_#+|])\{n}{{2,}}|[-=*~_#+|]{{4,}}"  # rulers, and borders as in +----+
)
_drawing = re.compile(
    f"({LINK}[^{MARKS}]*{LINK_TEXT})"  # what a link sends is not shown
    rf"|(?<! ) *(?:{_DRAWN.format(n=2)})(?: *(?:{_DRAWN.format(n=3)}))* *"
)


def _without_drawing(line: str) -> str:
    """A line's words; "" if it has nothing but drawing and spaces."""
    words = _drawing.sub(lambda found: found[1] or " ", line)
    if words != line:
        words = words.strip()
    return words if unmarked(words).strip() else ""
