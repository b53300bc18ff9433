"""Text from strangers on its way to somebody's terminal."""

from __future__ import annotations

import re

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movement
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"  # OSC, DCS, SOS, PM, APC with what they carry
    r"|\x1b."
)
_CONTROLS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(text: object) -> str:
    """`text` as one line that drives no terminal: escapes, C0 but tab, C1 and bidi controls removed (FM-83)."""
    return _CONTROLS.sub("", _ESCAPES.sub("", str(text).replace("\n", " ")))
