"""Blobs: there whole or not at all, never replaced."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.errors import ContractError, StorageError
from perdure.store.blobs import FileBlobs, base_key, base_of
from tests.store.faulty import Child, Faults

KEY = base_key("world", 3, 41)
POINTS = ("store:blob-write", "store:blob-rename", "store:blob-folder-sync")


def files_below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_blob_is_read_as_it_was_put(tmp_path: Path) -> None:
    """Also by another object over the same folder, larger than one write's step."""
    data = os.urandom(3 << 20)
    FileBlobs(tmp_path).put(KEY, data)
    assert FileBlobs(tmp_path).get(KEY) == data
    assert FileBlobs(tmp_path).list("world") == [KEY]
    assert files_below(tmp_path) == [KEY]


def test_the_same_bytes_under_the_same_key_are_fine_and_others_refused(tmp_path: Path) -> None:
    """Create-only: a try that is repeated converges, and nothing is ever replaced."""
    blobs = FileBlobs(tmp_path)
    blobs.put(KEY, b"one")
    blobs.put(KEY, b"one")
    with pytest.raises(StorageError, match="never replaced") as refused:
        blobs.put(KEY, b"two")
    assert refused.value.retry is False
    assert blobs.get(KEY) == b"one"


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize(("number", "retry"), [(errno.ENOSPC, True), (errno.EIO, False)])
def test_a_disk_that_fails_leaves_nothing_of_the_blob(tmp_path: Path, point: str, number: int, retry: bool) -> None:
    """Whichever step fails: nothing is visible, nothing is left over, and a later try works (FM-35, FM-75, FM-87)."""
    faults = Faults()
    blobs = FileBlobs(tmp_path, faults)
    blobs.put(base_key("world", 3, 40), b"before")
    faults.fail(point, number)
    with pytest.raises(StorageError, match="Nothing was stored") as failed:
        blobs.put(KEY, b"data")
    assert failed.value.retry is retry
    assert files_below(tmp_path) == [base_key("world", 3, 40)]
    faults.heal()
    blobs.put(KEY, b"data")
    assert blobs.get(KEY) == b"data"


def test_the_folder_is_synced_after_the_blob_has_its_name(tmp_path: Path) -> None:
    """Otherwise a power loss takes back what was acknowledged (FM-87)."""
    faults = Faults()
    FileBlobs(tmp_path, faults).put(KEY, b"data")
    assert faults.seen == list(POINTS)


KILLED = """
import os, signal, sys
from pathlib import Path
from perdure.store.blobs import FileBlobs
def fault(name):
    if name == sys.argv[2]:
        assert os.getpid() > 1
        os.kill(os.getpid(), signal.SIGKILL)
FileBlobs(Path(sys.argv[1]), fault).put("world/1/1", b"x" * 100000)
"""


@pytest.mark.parametrize("point", POINTS)
def test_a_writer_killed_at_any_step_leaves_the_blob_whole_or_not_at_all(tmp_path: Path, point: str) -> None:
    """And the next writer of the same key is not held up by the rest (FM-35)."""
    child = Child(KILLED, tmp_path, point)
    assert child.end() == -9
    blobs = FileBlobs(tmp_path)
    if blobs.list(""):
        assert (point, blobs.get("world/1/1")) == ("store:blob-folder-sync", b"x" * 100000)
    blobs.put("world/1/1", b"x" * 100000)
    assert blobs.list("") == ["world/1/1"]


SHORT = """
import resource, sys
from pathlib import Path
from perdure.errors import StorageError
from perdure.store.blobs import FileBlobs
resource.setrlimit(resource.RLIMIT_FSIZE, (1500000, 1500000))
try:
    FileBlobs(Path(sys.argv[1])).put("world/1/1", b"x" * 2000000)
except StorageError as error:
    print("refused", flush=True)
"""


def test_a_short_write_is_never_taken_for_a_whole_one(tmp_path: Path) -> None:
    """The kernel takes half of a step, then none: the blob is not there (FM-75)."""
    child = Child(SHORT, tmp_path)
    assert child.line() == "refused"
    assert child.end() == 0
    assert files_below(tmp_path) == []


def test_deleted_blobs_leave_no_empty_folders(tmp_path: Path) -> None:
    """A missing one is fine; the folder can be used again afterwards."""
    blobs = FileBlobs(tmp_path)
    other = base_key("world", 4, 1)
    blobs.put(KEY, b"one")
    blobs.put(other, b"two")
    blobs.delete(KEY)
    blobs.delete(KEY)
    assert [path.name for path in (tmp_path / "world").iterdir()] == ["0000000004"]
    blobs.delete(other)
    assert list(tmp_path.iterdir()) == []
    blobs.put(KEY, b"again")
    assert blobs.get(KEY) == b"again"
    with pytest.raises(StorageError, match="There is no"):
        blobs.get(other)


def test_keys_in_order_are_bases_in_order(tmp_path: Path) -> None:
    """By epoch, then by callback; another room's are not listed, though its name begins alike."""
    blobs = FileBlobs(tmp_path)
    keys = [base_key("world", epoch, c) for epoch, c in ((2, 9), (2, 10), (10, 3))]
    for key in [*reversed(keys), base_key("world2", 1, 1)]:
        blobs.put(key, b"x")
    assert blobs.list("world") == keys
    assert len(blobs.list("")) == 4
    assert blobs.list("nobody") == []


@given(st.text(min_size=1, max_size=12), st.integers(0, 10**9), st.integers(0, 10**15))
def test_any_room_id_has_a_key_of_its_own(room: str, epoch: int, c: int) -> None:
    """Slashes, dots, case, any script: the key says which room it was and stays in its folder."""
    try:
        key = base_key(room, epoch, c)
    except UnicodeEncodeError:
        assert any("\ud800" <= char <= "\udfff" for char in room)
        return
    assert base_of(key) == (room, epoch, c)
    assert key.count("/") == 2
    FileBlobs(Path("nowhere")).list(key)


@pytest.mark.parametrize("key", ["../up", "a/../b", "a//b", ".hidden", "A/b", "a b", "a/.new-x", "a\0b", "/"])
def test_a_key_cannot_leave_the_folder(tmp_path: Path, key: str) -> None:
    """Keys are not paths of somebody's choosing."""
    with pytest.raises(ContractError, match="is no key"):
        FileBlobs(tmp_path).put(key, b"x")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ContractError, match="no key of a base"):
        base_of("world/1")
