"""Writing files so that they are either not there or whole, after a power loss too.

Every failure of the disk becomes one `StorageError` that says what is true afterwards. Nothing here is
tried again: after a failed fsync the kernel may have dropped the data and marked it clean, so only
writing it all again tells anything (FM-75).
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from pathlib import Path

from tests.frozen.v1.errors import StorageError
from tests.frozen.v1.faults import no_fault
from tests.frozen.v1.ports import FaultPoint

UNFINISHED = ".new-"
"""Prefix of names that do not count yet; whatever of that kind a dead process left is removed at the next start."""

WRITE_STEP_BYTES = 1 << 20

_PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR}
"""What passes when somebody frees space or descriptors; everything else needs a person at the disk."""

_ADVICE = {
    errno.ENOSPC: "Free some space on that disk; it is tried again.",
    errno.EDQUOT: "Free some space, or raise the quota; it is tried again.",
    errno.EACCES: "Check who may write there, and as whom this process runs.",
    errno.EPERM: "Check who may write there, and as whom this process runs.",
    errno.EROFS: "That file system is read-only: mount it for writing, or use another.",
    errno.ENOTDIR: "Use the path of a folder.",
}


def storage_error(op: str, what: str, now: str, error: OSError) -> StorageError:
    """The disk's error as ours.

    Args:
        op: Name of the operation.
        what: What failed, as the start of a sentence: "Storing base x".
        now: What is true now, as a sentence.
        error: As it came; it says by its number whether the same call may work later.
    """
    passing = error.errno in _PASSING
    advice = _ADVICE.get(error.errno or 0) or (
        "It may work again later." if passing else "Look at the disk and the system's log."
    )
    return StorageError(f"{what} failed: {error.strerror or error}. {now} {advice}", op=op, retry=passing)


def write_durably(path: Path, data: bytes, fault: FaultPoint = no_fault) -> None:
    """Create the file `path` with this content, both synced, mode 0600; never seen half-written.

    The folder must exist. The name appears by a link, so an existing file is never replaced.

    Raises:
        FileExistsError: There is a file of that name; it is untouched.
        OSError: Nothing is visible under the name.
    """
    fault("store:blob-write")
    fd, temporary = tempfile.mkstemp(prefix=UNFINISHED, dir=path.parent)
    try:
        try:
            write_all(fd, data)
            os.fsync(fd)
        finally:
            os.close(fd)
        fault("store:blob-rename")
        os.link(temporary, path)
    finally:
        with contextlib.suppress(OSError):  # what stays of it does not count, and is removed at the next start
            os.unlink(temporary)
    try:
        fault("store:blob-folder-sync")
        sync_folder(path.parent)
    except OSError:
        # Visible but maybe not after a power loss: take it back, so that a later try writes it anew.
        path.unlink(missing_ok=True)
        raise


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`, however little the kernel takes at a time."""
    view = memoryview(data)
    while view:
        written = os.write(fd, view[:WRITE_STEP_BYTES])
        view = view[written:]


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power loss (FM-87)."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def remove_unfinished(folder: Path) -> None:
    """Remove the unfinished files below `folder` that dead processes left. Nobody may be writing there."""
    for place, folders, files in os.walk(folder, topdown=False):
        for name in files:
            if name.startswith(UNFINISHED):
                Path(place, name).unlink(missing_ok=True)
        for name in folders:
            if name.startswith(UNFINISHED):
                remove_tree(Path(place, name))


def remove_tree(folder: Path) -> None:
    """Remove a folder of plain files; a missing one is fine."""
    with contextlib.suppress(FileNotFoundError):
        for entry in folder.iterdir():
            entry.unlink(missing_ok=True)
        folder.rmdir()
