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
        source: What tells it from others: a hash over what decides how it behaves.
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
    """The build of a process that says nothing of itself: this Perdure, and the games' code as it lies on disk."""
    sources = _hash([Path(perdure.__file__).parent, *games])
    return Build(number_of(state, sources), perdure_source())


def newest(state: Path) -> Build:
    """The newest build that this state folder has seen; number 0 for none."""
    stored = _read(state / FILE_NAME)
    return Build(stored.number, stored.sources[:12])


def number_of(state: Path, source: str) -> int:
    """The number of the program with this source, which is started now; a new number is kept in the state folder.

    Only the supervisor calls this: the number has one writer.
    """
    file = state / FILE_NAME
    stored = _read(file)
    if stored.sources != source:
        stored = _Stored(stored.number + 1, source)
        beside = file.with_name(FILE_NAME + ".new")
        try:
            beside.write_bytes(msgspec.json.encode(stored))
            os.replace(beside, file)
        except OSError:
            pass  # a full disk: the number rises again at the next start, and nothing else hangs on it
    return stored.number


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
