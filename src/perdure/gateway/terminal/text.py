"""What may pass between players' terminals: SGR, newline and tab; everything else that controls is removed.

A player's text reaches other players' terminals, so an escape sequence in it could retitle, clear or
answer from somebody else's screen. Sequences are removed whole, in one pass from left to right: each ESC
is either the start of a kept SGR or gone, so removing can't put a new sequence together. Marks of structured
text (`markup`) are a game's alone: what players type loses them, and in a game's text only whole links keep them.
"""

from __future__ import annotations

import re
import unicodedata

from perdure.gateway.terminal.sgr import FOR_PLAYERS, SGR, Style, closed
from perdure.markup import CONTROLS, LINK, LINK_END, LINK_TEXT, LINKS, MARKS

SENT_CHARS_MAX = 512
"""Of what a link sends. It is repeated on each line that the link wraps to."""

_MORE_CONTROLS = "\u180e\u206a-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0001"
"""Beside those: formats that Unicode deprecates or keeps for inside programs, which show as nothing or as junk."""
_UNSEEN = "\u200b\u2060-\u2064\U000e0000-\U000e007f"
"""What players have no use for: spaces without width, and tags, in which one text can hide another."""
MARKS_ON_ONE_MAX = 8
"""Combining marks on one character. Tibetan and Hebrew need four or five; more only climb over other lines."""
_SEQUENCES = (
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI
    rf"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n{MARKS}]*(?:\x07|\x1b\\|\x9c)?"  # OSC and its kin
    r"|\x1b[ -/]*[0-~]?"  # the two-character ones
)
_JUNK = f"{_SEQUENCES}|[{CONTROLS}{_MORE_CONTROLS}]"
_for_player = re.compile(f"({SGR.pattern})|{_JUNK}")
_from_player = re.compile(f"{_JUNK}|[\n{MARKS}{_UNSEEN}]")
_from_player_but_sgr = re.compile(f"({SGR.pattern})|{_JUNK}|[\n{MARKS}{_UNSEEN}]")
_sgr_or_text = re.compile(rf"{SGR.pattern.replace('(', '(?:')}|[^\x1b]+")
_mark = re.compile(f"({LINKS.pattern})|[{MARKS}]")
_line_ends = re.compile(r"\r\n?|\n")


def clean_line(line: str, *, colours: bool = False) -> str:
    """A line that a player typed, without control characters, escape sequences and marks; tabs become spaces.

    With `colours`, it keeps the SGR that colours, weighs, slants and underlines, and ends it at the line's end.
    """
    if line.isascii() and line.isprintable():
        return line
    line = line.replace("\t", " ")
    if not colours:
        return _without_towers(_from_player.sub("", line))
    style = Style(kept=FOR_PLAYERS)
    return _without_towers(closed(_from_player_but_sgr.sub(lambda found: _turned(style, found), line), style))


def clean(text: str) -> str:
    """A game's text: only SGR, tabs and newlines control, and the only marks are those of whole links.

    What a link sends has no SGR. A link that shows nothing, or sends nothing or too much, is text.
    """
    text = _line_ends.sub("\n", text)
    if text.replace("\n", "").isprintable():
        return text
    text = _for_player.sub(lambda found: found[1] or "", text)
    return text if text.isascii() else _mark.sub(_kept_mark, text)


def _without_towers(line: str) -> str:
    """A cleaned line with no more marks on one character than any script needs; colours end no character."""
    if line.isascii():
        return line
    kept: list[str] = []
    marks = 0
    for piece in _sgr_or_text.findall(line):
        if piece[0] == "\x1b":
            kept.append(piece)
            continue
        for char in piece:
            kind = unicodedata.category(char)
            if kind != "Cf":  # joiners: part of what stands before them
                marks = marks + 1 if kind in ("Mn", "Me") else 0
            if marks <= MARKS_ON_ONE_MAX:
                kept.append(char)
    return "".join(kept)


def _turned(style: Style, found: re.Match[str]) -> str:
    return style.turn(found[2]) if found[1] else ""


def _kept_mark(found: re.Match[str]) -> str:
    if not found[1]:
        return ""
    sent, shown = SGR.sub("", found[2]), found[3]
    if not sent.strip() or len(sent) > SENT_CHARS_MAX or not SGR.sub("", shown).strip():
        return shown
    return f"{LINK}{sent}{LINK_TEXT}{shown}{LINK_END}"
