"""The state folder: everything of a server that outlives its processes, behind one lock.

    VERSION  lock  key.json  owners.db  accounts.db  blobs/  journal/  logs/
    control.sock  link.sock  events.jsonl

`StateDir.open` is for the one process that runs the server: it creates the folder at the first start and
holds the lock as long as it lives. `StateDir.attach` is for all others (hosts, gateway, command line). The
kernel drops the lock with its holder, however that dies, so a stale one does not exist; the pid in the
file is for people only, and no signal is ever sent to it (FM-54).

A first start writes the key, then VERSION: a folder without VERSION is either foreign or the rest of a
first start that was cut short, and the latter is completed.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from perdure.errors import ConfigError, ContractError, Unavailable
from perdure.faults import no_fault
from perdure.ports import FaultPoint
from perdure.snapshot.keys import KEY_BYTES, KeyRing
from perdure.snapshot.seal import key_id_of
from perdure.store.durable import (
    UNFINISHED,
    remove_unfinished,
    storage_error,
    sync_folder,
    write_all,
    write_durably,
)
from perdure.versions import STATE

STATE_FORMAT = STATE.highest
"""Meaning of the folder's layout and files. Counted up when an older Perdure could not read it any more."""

FOLDERS = ("blobs", "journal", "logs")
_BEFORE_VERSION = {"lock", "key.json", "lost+found"}
_PEEK_BYTES = 80
_PEEKED_BLOBS_MAX = 100


class _Version(msgspec.Struct):
    format: int
    perdure: str = ""


class StateDir:
    """A state folder that was checked and may be used.

    Attributes:
        path: Absolute.
        keys: The ring that seals this server's snapshots.
    """

    def __init__(self, path: Path, keys: KeyRing, lock_fd: int | None) -> None:
        self.path, self.keys = path, keys
        self._lock_fd = lock_fd
        self.owners_file = path / "owners.db"
        self.accounts_file = path / "accounts.db"
        self.blobs = path / "blobs"
        self.journal = path / "journal"
        self.logs = path / "logs"

    @staticmethod
    def open(
        path: Path | str,
        *,
        version: str = "",
        entropy: Callable[[int], bytes] = os.urandom,
        fault: FaultPoint = no_fault,
    ) -> StateDir:
        """Take the folder for this process, creating it at the first start.

        Args:
            path: Of the folder; its parent is created too.
            version: Perdure's own, noted in a new folder for people.
            entropy: Where a new key comes from.
            fault: Asked before each write.
        Raises:
            Unavailable: Another process holds it.
            ConfigError: It is somebody else's, newer, foreign, or its key is missing or wrong. Unchanged.
            StorageError: The disk failed; a later start completes what this one began.
        """
        path = Path(path).absolute()
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            _check_owner(path)
            _check_content(path)
            lock_fd = _lock(path)
        except OSError as error:
            raise _failed(path, error) from error
        try:
            return StateDir(path, _prepare(path, version, entropy, fault), lock_fd)
        except OSError as error:
            os.close(lock_fd)
            raise _failed(path, error) from error
        except BaseException:
            os.close(lock_fd)
            raise

    @staticmethod
    def attach(path: Path | str) -> StateDir:
        """The folder as another process of this server, or a tool, sees it. Takes no lock, writes nothing.

        Raises:
            Unavailable: There is no such folder.
            ConfigError: As `open`.
        """
        path = Path(path).absolute()
        try:
            _check_owner(path)
            if _version(path) is None:
                raise FileNotFoundError
            return StateDir(path, _read_keys(path / "key.json"), None)
        except FileNotFoundError as error:
            raise Unavailable(
                f"There is no state of a server in {path}. Nothing was changed. Start one with "
                "`perdure run`, or name its state folder with --state.",
                op="state:attach",
            ) from error
        except OSError as error:
            raise _failed(path, error) from error

    def close(self) -> None:
        """Give the lock back."""
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None


def lock_file(path: Path) -> int | None:
    """A descriptor that holds the lock on the file `path` (created if missing); None if somebody has it.

    The lock ends with the descriptor: when it is closed, or its process is gone.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    except BaseException:
        os.close(fd)
        raise
    return fd


def close_lock(fd: int | None) -> None:
    """Give a lock back; one that was not had is fine."""
    if fd is not None and fd >= 0:
        os.close(fd)


def _failed(path: Path, error: OSError) -> Exception:
    return storage_error("state:open", f"Opening the state folder {path}", "Nothing that was there was changed.", error)


def _check_owner(path: Path) -> None:
    owner, me = path.stat().st_uid, os.geteuid()
    if owner != me:
        raise ConfigError(
            f"The state folder {path} belongs to {_user(owner)}, and this process runs as {_user(me)}. "
            f"Nothing was changed. Run as {_user(owner)}, or name another folder with --state."
        )


def _user(uid: int) -> str:
    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


def _check_content(path: Path) -> None:
    """Refuse a newer folder, and one that is not ours, before anything in it is touched."""
    if _version(path) is not None:
        return
    names = {name for name in os.listdir(path) if not name.startswith(UNFINISHED)}
    foreign = sorted(names - _BEFORE_VERSION)
    if foreign:
        raise ConfigError(
            f"{path} is not empty and is no state folder: it has {foreign[0]!r} and no VERSION. Nothing was "
            "changed. Name a new or empty folder with --state; if this was a state folder, bring VERSION back."
        )


def _version(path: Path) -> _Version | None:
    try:
        data = (path / "VERSION").read_bytes()
    except FileNotFoundError:
        return None
    try:
        found = msgspec.json.decode(data, type=_Version)
    except msgspec.DecodeError as error:
        raise ConfigError(
            f"The VERSION file of the state folder {path} is damaged. Nothing was changed. Look at the disk; "
            f'if the rest is whole, restore the file: {{"format": {STATE_FORMAT}}}'
        ) from error
    if not STATE.has(found.format):
        which = "newer Perdure" if found.format > STATE_FORMAT else "older Perdure, or one in between"
        raise ConfigError(
            f"The state folder {path} has format {found.format}, written by Perdure {found.perdure or '?'}; "
            f"this Perdure reads format {STATE.numbers}. Nothing was changed. Start the {which}, or name "
            "another folder with --state."
        )
    return found


def _lock(path: Path) -> int:
    fd = lock_file(path / "lock")
    if fd is None:
        holder = (path / "lock").read_text(errors="replace").strip() or "unknown"
        raise Unavailable(
            f"The state folder {path} is in use by the server with process id {holder}. That server goes on. "
            "Stop it first (`perdure stop`), or name another folder with --state.",
            op="state:lock",
        )
    os.ftruncate(fd, 0)
    write_all(fd, b"%d\n" % os.getpid())
    return fd


def _prepare(path: Path, version: str, entropy: Callable[[int], bytes], fault: FaultPoint) -> KeyRing:
    """Complete the layout; the lock is ours."""
    path.chmod(0o700)
    keys = _keys(path, entropy, fault)
    remove_unfinished(path)
    if _version(path) is None:
        content = msgspec.json.encode(_Version(STATE_FORMAT, version))
        write_durably(path / "VERSION", content + b"\n", fault)
        sync_folder(path.parent)
    for name in FOLDERS:
        (path / name).mkdir(mode=0o700, exist_ok=True)
    sync_folder(path)
    return keys


def _keys(path: Path, entropy: Callable[[int], bytes], fault: FaultPoint) -> KeyRing:
    """The key ring of the folder; a new one only where no snapshot needs an older one."""
    file = path / "key.json"
    sealed_with = set(_sealed_with(path / "blobs"))
    try:
        keys = _read_keys(file)
    except FileNotFoundError:
        if sealed_with:
            raise ConfigError(
                f"{file} is missing, and without it the snapshots of this server cannot be verified (they are "
                f"sealed with {_named(sealed_with)}). Nothing was changed. Bring the file back from a backup; "
                "or begin anew with another folder, named with --state."
            ) from None
        keys = KeyRing.generate(entropy(KEY_BYTES))
        write_durably(file, keys.to_json(), fault)
        return keys
    if sealed_with and not sealed_with & (keys.keys.keys() | keys.retired):
        raise ConfigError(
            f"{file} has the keys {sorted(keys.keys)}, but the snapshots of this server are sealed with "
            f"{_named(sealed_with)}. Nothing was changed. Bring back the key file that belongs to this folder."
        )
    return keys


def _named(ids: set[str]) -> str:
    return ", ".join(repr(id) for id in sorted(ids))


def _read_keys(file: Path) -> KeyRing:
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o077:
        raise ConfigError(
            f"Others may read or write {file} (mode {mode:04o}), and whoever has it can forge snapshots. Nothing "
            f"was changed. If nobody did: chmod 600 {file}"
        )
    try:
        return KeyRing.from_json(file.read_bytes())
    except ContractError as error:
        raise ConfigError(f"{file}: {error} Nothing was changed. Bring it back from a backup.") from error


def _sealed_with(blobs: Path) -> Iterator[str]:
    """Key ids of stored snapshots, as they claim; looks at a bounded number of blobs, later epochs first."""
    seen = 0
    for place, folders, files in os.walk(blobs):
        folders.sort(reverse=True)
        for name in sorted(files, reverse=True):
            if name.startswith(UNFINISHED):
                continue
            seen += 1
            with open(os.path.join(place, name), "rb") as blob:
                id = key_id_of(blob.read(_PEEK_BYTES))
            if id is not None:
                yield id
            if seen >= _PEEKED_BLOBS_MAX:
                return
