"""Which libraries of a game changed on disk since this process began: a reload cannot reach these."""

from __future__ import annotations

import os
import sys

from perdure.games.python.program import PythonProgram

PERDURE = "perdure"


def changed_libraries(program: PythonProgram, since_us: int) -> list[str]:
    """The libraries that the game imports, and Perdure itself, of which a loaded file changed after `since_us`."""
    roots = {*program.libraries, PERDURE}
    changed = set()
    for name, module in list(sys.modules.items()):
        root = name.partition(".")[0]
        if root in roots and root not in changed and _changed(getattr(module, "__file__", None), since_us):
            changed.add(root)
    return sorted(changed)


def _changed(file: str | None, since_us: int) -> bool:
    """By the inode's change time: unlike the other times nobody sets it back."""
    try:
        return bool(file) and os.stat(str(file)).st_ctime_ns > since_us * 1000
    except OSError:
        return True  # it is gone, or cannot be looked at
