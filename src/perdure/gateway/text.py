"""What may pass between players' terminals: SGR, newline and tab; everything else that controls is removed.

A player's text reaches other players' terminals, so an escape sequence in it could retitle, clear or
answer from somebody else's screen. Sequences are removed whole, in one pass from left to right: each ESC
is either the start of a kept SGR or gone, so removing can't put a new sequence together.
"""

from __future__ import annotations

import re

from perdure.logs import CONTROLS

_SGR = r"\x1b\[[0-9;:]{0,64}m"
_SEQUENCES = (
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"  # OSC and its kin
    r"|\x1b[ -/]*[0-~]?"  # the two-character ones
)
_for_player = re.compile(f"({_SGR})|{_SEQUENCES}|[{CONTROLS}]")
_from_player = re.compile(f"{_SEQUENCES}|[{CONTROLS}\n]")
_line_ends = re.compile(r"\r\n?|\n")


def clean_line(line: str) -> str:
    """A line that a player typed, without control characters and escape sequences; tabs become spaces."""
    if line.isascii() and line.isprintable():
        return line
    return _from_player.sub("", line.replace("\t", " "))


def clean_text(text: str) -> str:
    """Text for a player: only SGR, tabs and newlines control; lines end with CR LF."""
    text = _line_ends.sub("\n", text)
    if not text.replace("\n", "").isprintable():
        text = _for_player.sub(lambda found: found.group(1) or "", text)
    return text.replace("\n", "\r\n")
