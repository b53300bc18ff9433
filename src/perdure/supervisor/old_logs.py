"""The logs of hosts that are gone: those of the newest few stay, so that a copyover a day does not fill a disk."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

HOSTS_MAX = 5
"""Hosts that are gone and whose logs stay."""


def prune(folder: Path, living: Collection[str]) -> None:
    """Delete the logs of hosts that are gone, but for those that wrote last.

    Args:
        folder: Has ``host-N.log`` and ``host-N.jsonl``, and those that were turned over.
        living: Names of the hosts whose logs are not touched.
    """
    logs: dict[str, list[Path]] = {}
    for path in folder.glob("host-*.*"):
        logs.setdefault(path.name.partition(".")[0], []).append(path)
    gone = sorted((name for name in logs if name not in living), key=lambda name: _written_ns(logs[name]))
    for name in gone[: max(0, len(gone) - HOSTS_MAX)]:
        for path in logs[name]:
            with suppress(OSError):  # what cannot be deleted is tried again at the next start of a host
                path.unlink()


def _written_ns(paths: Collection[Path]) -> int:
    """When any of them was last written."""
    newest = 0
    for path in paths:
        with suppress(OSError):
            newest = max(newest, path.stat().st_mtime_ns)
    return newest
