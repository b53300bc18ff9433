"""Blobs as files: durable, created once, never replaced.

A key is a path below one folder. Sealed snapshots have the key ``room/epoch/c`` with both numbers padded,
so that keys in order are snapshots in order (`base_key`).
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from urllib.parse import quote, unquote

from tests.frozen.v1.errors import ContractError, StorageError
from tests.frozen.v1.faults import no_fault
from tests.frozen.v1.ports import FaultPoint
from tests.frozen.v1.store.durable import UNFINISHED, storage_error, sync_folder, write_durably

_PART = re.compile(r"([a-z0-9_-]|%[0-9A-F]{2})([a-z0-9._-]|%[0-9A-F]{2})*")


def base_key(room: str, epoch: int, c: int) -> str:
    """Key of the room's base at callback c. Any room id gives a file name of its own."""
    return f"{room_folder(room)}/{epoch:010}/{c:016}"


def room_folder(room: str) -> str:
    """The room's id as a part of a key: all but [a-z0-9._-] as %XX, a dot in front too."""
    encoded = "".join(char if char in "abcdefghijklmnopqrstuvwxyz0123456789._-" else _percent(char) for char in room)
    return "%2E" + encoded[1:] if encoded.startswith(".") else encoded


def base_of(key: str) -> tuple[str, int, int]:
    """(room, epoch, c) of a base's key.

    Raises:
        ContractError: It is no base's key.
    """
    try:
        room, epoch, c = key.split("/")
        return unquote(room), int(epoch), int(c)
    except ValueError as error:
        raise ContractError(f"{key!r} is no key of a base.") from error


class FileBlobs:
    """`ports.Blobs` in a folder.

    Args:
        folder: Exists. Several processes may use it.
        fault: Asked before the write, the link and the sync of the folder.
    """

    def __init__(self, folder: Path, fault: FaultPoint = no_fault) -> None:
        self._folder, self._fault = folder, fault
        self._durable: set[Path] = set()  # folders whose own names this process has synced

    def put(self, key: str, data: bytes) -> None:
        path = self._path(key)
        try:
            self._make_folder(path.parent)
            write_durably(path, data, self._fault)
        except FileExistsError as error:
            self._confirm(key, path, data, error)
        except OSError as error:
            raise storage_error(
                "store:blob-write", f"Storing {key} in {self._folder}", "Nothing was stored.", error
            ) from error

    def get(self, key: str) -> bytes:
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError as error:
            raise StorageError(
                f"There is no {key} in {self._folder}. Nothing was changed.", op="store:blob-read"
            ) from error
        except OSError as error:
            raise storage_error("store:blob-read", f"Reading {key}", "It is untouched.", error) from error

    def list(self, prefix: str) -> list[str]:
        top = self._path(prefix) if prefix.strip("/") else self._folder
        start = len(os.path.join(self._folder, ""))
        return sorted(
            os.path.join(place, name)[start:]
            for place, _, files in os.walk(top)
            for name in files
            if not name.startswith(UNFINISHED)
        )

    def delete(self, key: str) -> None:
        path = self._path(key)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise storage_error("store:blob-delete", f"Deleting {key}", "It is there.", error) from error
        self._remove_empty(path.parent)

    def _path(self, key: str) -> Path:
        parts = key.strip("/").split("/")
        if not all(_PART.fullmatch(part) for part in parts):
            raise ContractError(f"{key!r} is no key: its parts are made of [a-z0-9._-] and %XX.")
        return self._folder.joinpath(*parts)

    def _make_folder(self, folder: Path) -> None:
        """Make the folder and those above it, names synced: another process may have died in between (FM-87)."""
        if folder in self._durable and folder.is_dir():
            return
        if folder == self._folder:
            return
        self._make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        sync_folder(folder.parent)
        self._durable.add(folder)

    def _confirm(self, key: str, path: Path, data: bytes, error: OSError) -> None:
        """The same bytes under the same key: make sure that they are durable, then it is as if just stored."""
        if self.get(key) != data:
            raise StorageError(
                f"{key} exists with other content and is never replaced. The stored one is untouched. Whoever "
                "wrote it owned the room at the same epoch: look for a second server on this state.",
                op="store:blob-write",
            ) from error
        try:
            fd = os.open(path, os.O_RDONLY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
            sync_folder(path.parent)
        except OSError as failed:
            raise storage_error(
                "store:blob-write", f"Syncing {key}", "It may be lost in a power loss.", failed
            ) from failed

    def _remove_empty(self, folder: Path) -> None:
        with contextlib.suppress(OSError):  # not empty, or somebody else did it: both are fine
            while folder != self._folder:
                folder.rmdir()
                self._durable.discard(folder)
                folder = folder.parent


def _percent(char: str) -> str:
    return quote(char, safe="") if not char.isascii() else f"%{ord(char):02X}"
