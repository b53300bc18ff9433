"""Numbers for programs: each host says which program it is, and a number rises when that changes."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

FILE_NAME = "build.json"
UNSAID = "unsaid"
"""The source of a host that does not say what it is: one of before there were copyovers."""


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
