"""The state folder: created whole, refused with a reason, held by one."""

import errno
import json
import os
from pathlib import Path

import pytest

from perdure.errors import ConfigError, StorageError, Unavailable
from perdure.snapshot import Header, KeyRing, seal
from perdure.store.blobs import FileBlobs, base_key
from perdure.store.files import StateDir
from tests.store.faulty import Child, Faults


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state"


def content(path: Path) -> dict[str, bytes]:
    return {
        entry.relative_to(path).as_posix(): entry.read_bytes()
        for entry in path.rglob("*")
        if entry.is_file() and entry.name != "lock"
    }


def made(path: Path, *, blob: bool = False) -> KeyRing:
    """A state folder that some server left."""
    state = StateDir.open(path, version="0.1.0")
    if blob:
        FileBlobs(state.blobs).put("sources/abc", b"print(1)")
        sealed = seal(Header(game="mud", room="world", epoch=1, c=5), [b"x"], state.keys)
        FileBlobs(state.blobs).put(base_key("world", 1, 5), sealed)
    state.close()
    return state.keys


def test_a_first_start_creates_the_folder_with_a_key_that_only_its_owner_reads(path: Path) -> None:
    """0700 the folder, 0600 the key; there is no unsealed mode."""
    state = StateDir.open(path / "deep", version="0.1.0")
    assert (path / "deep").stat().st_mode & 0o777 == 0o700
    assert (state.path / "key.json").stat().st_mode & 0o777 == 0o600
    assert json.loads((path / "deep" / "VERSION").read_text()) == {"format": 1, "perdure": "0.1.0"}
    assert state.blobs.is_dir()
    assert state.journal.is_dir()
    assert state.logs.is_dir()
    assert KeyRing.from_json((state.path / "key.json").read_bytes()).keys == state.keys.keys


def test_a_later_start_finds_the_same_key(path: Path) -> None:
    """The server's snapshots stay readable; the folder's version stays what its first server wrote."""
    keys = made(path, blob=True)
    state = StateDir.open(path, version="0.2.0")
    assert state.keys.keys == keys.keys
    assert b"0.1.0" in (path / "VERSION").read_bytes()
    assert StateDir.attach(path).keys.keys == keys.keys


HOLDER = """
import sys
from perdure.store.files import StateDir
state = StateDir.open(sys.argv[1])
print("open", flush=True)
sys.stdin.readline()
"""


def test_a_second_server_on_one_state_is_refused_and_told_who_has_it(path: Path) -> None:
    """The lock names the holder's pid, for people only, and is free when that process is gone (FM-53, FM-54)."""
    child = Child(HOLDER, path)
    assert child.line() == "open"
    with pytest.raises(Unavailable, match=f"process id {child.process.pid}") as refused:
        StateDir.open(path)
    assert "perdure stop" in str(refused.value)
    StateDir.attach(path)
    child.kill()
    StateDir.open(path).close()


def test_the_lock_is_given_back_by_close_and_by_a_refusal(path: Path) -> None:
    """A start that failed holds nobody up."""
    made(path)
    (path / "key.json").write_bytes(b"spoilt")
    for _ in range(2):
        with pytest.raises(ConfigError, match="no key ring"):
            StateDir.open(path)


def test_a_state_of_a_newer_version_is_refused_unchanged(path: Path) -> None:
    """The message says which Perdure wrote it, and what to do."""
    made(path)
    (path / "VERSION").write_text('{"format": 2, "perdure": "0.9.1", "colour": "red"}')
    before = content(path)
    for attempt in (StateDir.open, StateDir.attach):
        with pytest.raises(ConfigError, match=r"format 2.*Perdure 0\.9\.1.*reads format 1"):
            attempt(path)
    assert content(path) == before


def test_a_state_of_another_user_is_refused_unchanged(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root too: it would leave files that the owner cannot write."""
    made(path)
    before = content(path)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 4711)
    for attempt in (StateDir.open, StateDir.attach):
        with pytest.raises(ConfigError, match=rf"belongs to .*uid {path.stat().st_uid}\).*--state"):
            attempt(path)
    assert content(path) == before


def test_a_missing_key_is_refused_while_snapshots_need_it(path: Path) -> None:
    """A new key would turn all of them into forgeries; nothing is written (FM-72)."""
    keys = made(path, blob=True)
    (path / "key.json").unlink()
    before = content(path)
    with pytest.raises(ConfigError, match=rf"key\.json is missing.*{keys.signing}.*backup"):
        StateDir.open(path)
    assert content(path) == before


def test_a_missing_key_is_made_anew_where_no_snapshot_needs_it(path: Path) -> None:
    """A first start that was cut short is completed."""
    keys = made(path)
    (path / "key.json").unlink()
    assert StateDir.open(path).keys.signing != keys.signing


def test_another_servers_key_is_refused(path: Path) -> None:
    """A key file that was copied from elsewhere is noticed at the start, not room by room (FM-72)."""
    keys = made(path, blob=True)
    (path / "key.json").write_bytes(KeyRing.generate(b"o" * 32).to_json())
    with pytest.raises(ConfigError, match=rf"sealed with '{keys.signing}'.*belongs to this folder"):
        StateDir.open(path)


def test_rotated_and_retired_keys_are_no_wrong_keys(path: Path) -> None:
    """Snapshots of a retired key are refused one by one; the server starts."""
    keys = made(path, blob=True)
    newer = KeyRing.generate(b"n" * 32)
    rotated = KeyRing(newer.signing, keys.keys | newer.keys)
    for ring in (rotated, KeyRing(newer.signing, newer.keys, frozenset({keys.signing}))):
        (path / "key.json").write_bytes(ring.to_json())
        state = StateDir.open(path)
        assert state.keys.signing == newer.signing
        state.close()


def test_an_older_key_that_was_dropped_does_not_stop_the_server(path: Path) -> None:
    """Some snapshots verify: those that do not are refused one by one."""
    made(path, blob=True)
    newer = KeyRing.generate(b"n" * 32)
    later = seal(Header(game="mud", room="world", epoch=2, c=9), [b"y"], newer)
    FileBlobs(path / "blobs").put(base_key("world", 2, 9), later)
    (path / "key.json").write_bytes(newer.to_json())
    StateDir.open(path).close()


def test_a_key_that_others_may_read_is_refused(path: Path) -> None:
    """Whoever reads it can forge snapshots; the message has the command."""
    made(path)
    (path / "key.json").chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        StateDir.open(path)


@pytest.mark.parametrize("spoilt", [b"", b"{}", b"nonsense"])
def test_a_damaged_version_or_key_file_is_named(path: Path, spoilt: bytes) -> None:
    """A zero-byte file neither fakes a state nor is taken for a first start (FM-35)."""
    made(path)
    for name in ("VERSION", "key.json"):
        before = (path / name).read_bytes()
        (path / name).write_bytes(spoilt)
        with pytest.raises(ConfigError, match=name):
            StateDir.open(path)
        assert (path / name).read_bytes() == spoilt
        (path / name).write_bytes(before)


def test_a_folder_with_other_things_in_it_is_refused_unchanged(path: Path) -> None:
    """Nobody's home directory becomes a state folder."""
    path.mkdir()
    path.chmod(0o755)
    (path / "thesis.tex").write_text("important")
    with pytest.raises(ConfigError, match=r"not empty.*thesis\.tex"):
        StateDir.open(path)
    assert [entry.name for entry in path.iterdir()] == ["thesis.tex"]
    assert path.stat().st_mode & 0o777 == 0o755
    with pytest.raises(Unavailable, match="no state of a server"):
        StateDir.attach(path)


def test_a_path_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    """With the disk's own words, and with what is true of every command: who makes an account starts no server."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match=r"exists\. Nothing that was there was changed\."):
        StateDir.open(tmp_path / "file")


def test_a_path_may_be_longer_than_a_sockets(tmp_path: Path) -> None:
    """The sockets in it are named through the folder's descriptor where their paths do not fit."""
    path = tmp_path / ("x" * 120)
    StateDir.open(path).close()
    assert StateDir.attach(path).path == path


def test_a_folder_that_may_not_be_written_is_refused_with_the_way_out(tmp_path: Path) -> None:
    """What the system said, and what to look at."""
    faults = Faults()
    faults.fail("store:blob-write", errno.EROFS)
    with pytest.raises(StorageError, match="read-only"):
        StateDir.open(tmp_path / "state", fault=faults)


def test_no_state_is_told_from_a_broken_one(path: Path) -> None:
    """Tools say that no server ever ran here, and create nothing."""
    with pytest.raises(Unavailable, match="perdure run"):
        StateDir.attach(path)
    assert not path.exists()


KILLED = """
import os, signal, sys
from perdure.store.files import StateDir
calls = 0
def fault(name):
    global calls
    calls += 1
    if calls == int(sys.argv[2]):
        assert os.getpid() > 1
        os.kill(os.getpid(), signal.SIGKILL)
StateDir.open(sys.argv[1], fault=fault)
"""


@pytest.mark.parametrize("call", range(1, 7))
def test_a_first_start_killed_at_any_step_is_completed_by_the_next(path: Path, call: int) -> None:
    """Key and version are there whole or not at all, and what was left over is removed (FM-35)."""
    child = Child(KILLED, path, call)
    assert child.end() == -9
    state = StateDir.open(path)
    assert StateDir.attach(path).keys.keys == state.keys.keys
    assert {entry.name for entry in path.iterdir()} == {
        "VERSION",
        "lock",
        "key.json",
        "blobs",
        "journal",
        "logs",
    }


@pytest.mark.parametrize("point", ["store:blob-write", "store:blob-rename", "store:blob-folder-sync"])
def test_a_full_disk_at_the_first_start_leaves_nothing_half_written(path: Path, point: str) -> None:
    """The error says so, and the next start works (FM-35)."""
    faults = Faults()
    faults.fail(point, errno.ENOSPC)
    with pytest.raises(StorageError, match="Free some space") as full:
        StateDir.open(path, fault=faults)
    assert full.value.retry
    assert content(path) == {}
    StateDir.open(path)


def test_what_dead_processes_left_unfinished_is_removed_at_the_start(path: Path) -> None:
    """Unfinished blobs and journals do not count, and do not stay for ever."""
    made(path, blob=True)
    (path / "blobs" / "world" / ".new-abc").write_bytes(b"half")
    (path / "journal" / ".new-host-7").mkdir()
    (path / "journal" / ".new-host-7" / "lock").write_bytes(b"")
    StateDir.open(path)
    assert list(path.rglob(".new-*")) == []
    assert len(FileBlobs(path / "blobs").list("")) == 2
