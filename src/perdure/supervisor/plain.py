"""Text from strangers on its way to somebody's terminal."""

from __future__ import annotations

import re

from perdure.markup import CONTROLS

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movement
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"  # OSC, DCS, SOS, PM, APC with what they carry
    r"|\x1b."
)
_controls = re.compile(f"[{CONTROLS}]")


def plain(text: object) -> str:
    """`text` as one line that drives no terminal: escapes, C0 but tab, C1 and bidi controls removed (FM-83)."""
    return _controls.sub("", _ESCAPES.sub("", str(text).replace("\n", " ")))
