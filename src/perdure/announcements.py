"""The words of a copyover's announcements: when something is said, and what stands in braces in a text.

Who reads perdure.toml knows them, gateways among others, and so does `perdure.movement.announce`, which fills texts in.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from typing import Literal

from perdure import markup

Phase = Literal[
    "announce", "minute", "seconds", "building", "build_failed", "vetoed", "done", "cancelled", "failed", "recovered"
]
"""When players are told something; `perdure.movement.announce` has the usual texts."""

TEXT_CHARS_MAX = 1000
PLACEHOLDERS = ("seconds", "when", "reason", "build", "server")
"""``when`` follows from ``seconds``: "in 5 minutes", "now"."""
COLOURS: Mapping[str, int] = {**markup.COLOURS, "bold": 1, "reset": 0}
"""Word -> SGR parameter (ECMA-48, 8.3.117)."""


def parts(text: str) -> Iterator[tuple[str, str | None]]:
    """The literal text and what stands in braces behind it, in order. ValueError: the braces do not match."""
    for literal, name, spec, conversion in string.Formatter().parse(text):
        if name is None:
            yield literal, None
        else:
            yield literal, name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
