"""Lines that fit a window, by the width at which terminals show them.

Wide and combining characters and emoji count as `wcwidth` says; sequences have no width. `wcwidth` has a wrap
function as well; it is not used, because it parts a link from the full stop behind it, gives links random ids,
and forgets the indentation.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from itertools import zip_longest
from typing import NamedTuple

from wcwidth import iter_graphemes, width

from perdure.gateway.terminal.sgr import SGR

LINK_CLOSE = "\x1b]8;;\x1b\\"
SEQUENCE = re.compile(rf"({SGR.pattern.replace('(', '(?:')}|\x1b\]8;;[^\x1b]*\x1b\\)|[^\x1b]+")
"""Rendered text is made of these: group 1 is a sequence that takes no room, else there are characters."""
TAB_COLUMNS = 8
MEASURED_CHARS_MAX = 512
"""Measured at once: `wcwidth` takes time in proportion to the square of a row of flags."""

_odd = re.compile("[\t\u200d]")
"""A tab is as wide as its place makes it; and behind a joiner `wcwidth` takes anything for joined."""
_word = re.compile(r"( *)([^ ]+)")


class Span(NamedTuple):
    """What of a line goes onto one line of the window."""

    start: int
    end: int


def wrapped(line: str, columns: int) -> list[str]:
    """A rendered line as lines of at most `columns`, broken at spaces; a word longer than a line is cut.

    The first line's indentation is kept on the others, up to half of the window. A link that goes on is closed
    and opened again. A character wider than the window stands alone.
    """
    if len(line) <= MEASURED_CHARS_MAX and not _odd.search(line) and width(line) <= columns:
        return [line]
    characters, sequences = _apart(_without_tabs(line) if "\t" in line else line)
    if _width(characters) <= columns:
        return [line]
    spaces = len(characters) - len(characters.lstrip(" "))
    indent = spaces if spaces <= columns // 2 else 0
    return _put_back(characters, sequences, list(_spans(characters, spaces, indent, columns)), " " * indent)


def _without_tabs(line: str) -> str:
    """`line` with spaces up to each tab stop."""
    first, *rest = line.split("\t")
    pieces, column = [first], _width(_apart(first)[0])
    for piece in rest:
        spaces = TAB_COLUMNS - column % TAB_COLUMNS
        pieces += [" " * spaces, piece]
        column += spaces + _width(_apart(piece)[0])
    return "".join(pieces)


def _width(characters: str) -> int:
    """How wide characters are, without sequences and tabs among them, in time in proportion to their number."""
    if characters.isascii():
        return len(characters)
    if _odd.search(characters):
        return sum(width(cluster) for cluster in iter_graphemes(characters))
    starts = range(0, len(characters), MEASURED_CHARS_MAX)
    return sum(width(characters[start : start + MEASURED_CHARS_MAX]) for start in starts)


def _apart(line: str) -> tuple[str, list[tuple[int, str]]]:
    """The characters of a line, and its sequences with the places where they stood among them."""
    characters: list[str] = []
    sequences: list[tuple[int, str]] = []
    at = 0
    for found in SEQUENCE.finditer(line):
        if found[1]:
            sequences.append((at, found[1]))
        else:
            characters.append(found[0])
            at += len(found[0])
    return "".join(characters), sequences


def _spans(line: str, spaces: int, indent: int, columns: int) -> Iterator[Span]:
    """What goes onto each line, without the spaces at the breaks; as much of the first's `spaces` as is `indent`."""
    start, end, used = spaces - indent, spaces, indent
    for word in _word.finditer(line, spaces):
        gap, taken = len(word[1]), _width(word[2])
        if used + gap + taken > columns:
            if end > spaces:
                yield Span(start, end)
                start, used, gap = word.start(2), indent, 0
            if used + taken > columns:
                for cut in _cuts(word[2], columns - indent):
                    yield Span(start, word.start(2) + cut)
                    start = word.start(2) + cut
                taken = _width(line[start : word.end()].lstrip(" "))
        used += gap + taken
        end = word.end()
    yield Span(start, end)


def _cuts(word: str, room: int) -> Iterator[int]:
    """Where a word is cut so that each piece fits: between what is seen as one character each."""
    at = used = 0
    for cluster in iter_graphemes(word):
        taken = width(cluster)
        if used and used + taken > room:
            yield at
            used = 0
        at += len(cluster)
        used += taken


def _put_back(characters: str, sequences: list[tuple[int, str]], spans: list[Span], indent: str) -> list[str]:
    """The lines, with each sequence where it stood."""
    waiting = deque(sequences)
    lines: list[str] = []
    link = ""
    for span, following in zip_longest(spans, spans[1:]):
        pieces, at = [indent if lines else "", link], span.start
        while waiting and (following is None or _before_break(*waiting[0], span, following)):
            place, sequence = waiting.popleft()
            place = min(max(place, at), span.end)
            pieces += [characters[at:place], sequence]
            at = place
            if not SGR.fullmatch(sequence):
                link = "" if sequence == LINK_CLOSE else sequence
        pieces += [characters[at : span.end], LINK_CLOSE if link else ""]
        lines.append("".join(pieces))
    return lines


def _before_break(place: int, sequence: str, span: Span, following: Span) -> bool:
    """Whether a sequence goes onto the line of `span`; of those in the spaces at its end, all that begin no link."""
    if sequence == LINK_CLOSE:
        return place <= following.start
    return place < (following.start if SGR.fullmatch(sequence) else span.end)
