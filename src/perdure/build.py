"""Which program this process is: a hash of everything that decides how it behaves.

Perdure's own sources, the interpreter and its environment, the installed libraries and the games' code. Two
hosts with the same hash behave the same, so a server that is replaced by one says that nothing changed.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

HEX_DIGITS = 12


def program_source(generations: Mapping[str, str]) -> str:
    """The first hex digits of the hash over this interpreter's Perdure, its libraries and these generations.

    Args:
        generations: Game -> id of the code that it is to run.
    """
    total = hashlib.sha256()
    package = Path(__file__).parent
    for file in sorted(package.rglob("*.py")):
        content = file.read_bytes()
        total.update(f"{file.relative_to(package)}\0{len(content)}\0".encode())
        total.update(content)
    interpreter = (platform.python_implementation(), platform.python_version(), sys.prefix)
    total.update(repr((interpreter, sorted(_distributions()), sorted(generations.items()))).encode())
    return total.hexdigest()[:HEX_DIGITS]


def _distributions() -> Iterator[str]:
    """The installed libraries with their versions, by the names of their metadata folders."""
    for folder in sys.path:
        try:
            yield from (name for name in os.listdir(folder) if name.endswith(".dist-info"))
        except OSError:
            continue  # a path entry that is no folder
