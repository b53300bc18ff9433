"""The programs that served, so that one can be gone back to: `STATE/programs.json`."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from perdure.movement.copyover_rules import Stored
from perdure.store.durable import sync_folder

FILE_NAME = "programs.json"
PROGRAMS_MAX = 20


class ProgramStore:
    """How the program of each build was started, and which code it ran.

    Args:
        folder: The state folder.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME

    def all(self) -> list[Stored]:
        """The newest builds, by rising number; nothing if the file is not there, or not whole."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=list[Stored])
        except (OSError, msgspec.DecodeError, msgspec.ValidationError):
            return []  # who wants to go back is told that nothing is kept

    def keep(self, stored: Stored) -> str:
        """Remember a program, instead of what was known of its build; returns why that failed, "" if it did not."""
        if not stored.build:
            return ""
        others = [one for one in self.all() if one.build != stored.build]
        newest = sorted([*others, stored], key=lambda one: one.build)[-PROGRAMS_MAX:]
        beside = self._path.with_name(FILE_NAME + ".new")
        try:
            with beside.open("wb") as file:
                file.write(msgspec.json.encode(newest))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
            sync_folder(self._path.parent)
        except OSError as error:
            return f"the program of build {stored.build} could not be written down: {error.strerror or error}"
        return ""
