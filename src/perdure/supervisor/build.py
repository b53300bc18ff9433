"""Which program this is: a hash of the sources, and a number that rises when they change."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

import perdure

FILE_NAME = "build.json"


class Build(msgspec.Struct, frozen=True):
    """A build.

    Attributes:
        number: Rises each time a server starts a process from other sources than before; 0 without a state folder.
        source: First 12 hex digits of the SHA-256 over Perdure's own sources.
    """

    number: int
    source: str


class _Stored(msgspec.Struct):
    number: int = 0
    sources: str = ""


def perdure_source() -> str:
    """The hash of the installed package."""
    return _hash([Path(perdure.__file__).parent])[:12]


def stored_number(state: Path) -> int:
    """The newest build number that this state folder has seen; 0 for none."""
    return _read(state / FILE_NAME).number


def current_build(state: Path, games: Sequence[Path]) -> Build:
    """The build that a process started now would have; a new number is kept in the state folder.

    Only the supervisor calls this: the number has one writer.
    """
    file = state / FILE_NAME
    stored = _read(file)
    sources = _hash([Path(perdure.__file__).parent, *games])
    if stored.sources != sources:
        stored = _Stored(stored.number + 1, sources)
        beside = file.with_name(FILE_NAME + ".new")
        try:
            beside.write_bytes(msgspec.json.encode(stored))
            os.replace(beside, file)
        except OSError:
            pass  # a full disk: the number rises again at the next start, and nothing else hangs on it
    return Build(stored.number, perdure_source())


def _read(file: Path) -> _Stored:
    try:
        return msgspec.json.decode(file.read_bytes(), type=_Stored)
    except (OSError, msgspec.DecodeError):
        return _Stored()


def _hash(roots: Sequence[Path]) -> str:
    total = hashlib.sha256()
    for root in roots:
        files = [root] if root.is_file() else sorted(root.rglob("*.py"))
        for file in files:
            try:
                content = file.read_bytes()
            except OSError:
                continue  # an editor replaced it just now; its new content counts at the next start
            total.update(f"{file.relative_to(root)}\0{len(content)}\0".encode())
            total.update(content)
    return total.hexdigest()
