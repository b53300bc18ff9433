"""News of a game's files: that something changed, never what.

Whoever is told captures the files and compares: content decides, so two edits within one tick of the clock that
leave the size as it was are both seen. All looking is done in a thread; the event loop only hears the result.

News come from inotify, or from reading all files again and again where it does not reach (network folders,
containers' mounts). A folder that is deleted and made anew, or a link that points elsewhere from now on, is
noticed within half a second: the watched inode is compared with the path's. The watched folder is held open
meanwhile, or its numbers might be given to what comes after it; so its file system is in use, and only a lazy unmount
takes it away. (News of an unmount do not come, and what is mounted next may have the same numbers.)
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

from watchfiles._rust_notify import RustNotify  # documented there as the direct interface

from perdure.errors import GameError
from perdure.live.sources import SKIPPED_FOLDERS, capture

QUIET_MS = 5
"""A burst of changes is over when nothing came for so long; editors' rename-and-replace takes less than 1 ms."""
BURST_MAX_MS = 200
"""A burst that does not end is reported this often."""
LOOK_MS = 500
"""How often the watched folder is compared with the one of that name."""
POLL_S = 0.25
POLL_SHARE = 0.05
"""Of a core, at most, that polling takes: large games are read less often."""

_MODIFIED = 2  # RustNotify's number for a change of content


async def changes(path: Path, poll: bool = False) -> AsyncGenerator[None, None]:
    """Yield once when watching has begun, then after every burst of changes in the game at `path`.

    Args:
        path: A folder, watched with all below it, or a ``.py`` file, watched with the data files beside it. It
            may be missing, at first or in between.
        poll: Whether to read the files' contents four times a second instead of asking the kernel for news.
    """
    loop, news, stop = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    failed: list[Exception] = []

    def watch() -> None:
        root = Path(os.path.abspath(path))
        try:
            for _ in _polled(root, stop) if poll else _notified(root, stop):
                loop.call_soon_threadsafe(news.set)
        except Exception as error:  # noqa: BLE001  (a thread's edge: who waits for news is told that none will come)
            failed.append(error)
            with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits
                loop.call_soon_threadsafe(news.set)

    threading.Thread(target=watch, name=f"watch {path.name}", daemon=True).start()
    try:
        while True:
            await news.wait()
            news.clear()
            if failed:
                raise failed[0]
            yield
    finally:
        stop.set()


def _notified(root: Path, stop: threading.Event) -> Iterator[None]:
    """Wait for news by inotify; where it has no room left for another watch, read instead."""
    folder = root.parent if root.suffix == ".py" else root
    while not stop.is_set():
        with contextlib.ExitStack() as held:
            try:
                watched = os.open(folder, os.O_RDONLY)
                held.callback(os.close, watched)
                notify = RustNotify([str(folder)], False, False, 0, folder == root, True)
            except (FileNotFoundError, NotADirectoryError):
                stop.wait(LOOK_MS / 1000)
                continue
            except OSError:
                break
            held.enter_context(contextlib.closing(notify))
            yield
            yield from _bursts(notify, root, folder, watched, stop)
    else:
        return
    yield from _polled(root, stop)


def _bursts(notify: RustNotify, root: Path, folder: Path, watched: int, stop: threading.Event) -> Iterator[None]:
    """One item for each burst, until the folder is another one."""
    while _is_same(folder, watched):
        seen = notify.watch(BURST_MAX_MS, QUIET_MS, LOOK_MS, stop)
        if seen == "stop":
            return
        if isinstance(seen, set) and any(_matters(root, kind, Path(name)) for kind, name in seen):
            yield


def _matters(root: Path, kind: int, path: Path) -> bool:
    """Whether it may belong to the game; a state folder or a log beside the code must not cause captures."""
    folder = root.parent if root.suffix == ".py" else root
    parts = path.relative_to(folder).parts if path.is_relative_to(folder) else path.parts[-1:]
    if any(part.startswith(".") or part in SKIPPED_FOLDERS for part in parts):
        return False
    return path.suffix in (".py", ".toml") or (kind != _MODIFIED and folder == root)


def _is_same(folder: Path, watched: int) -> bool:
    try:
        return os.path.samestat(os.stat(folder), os.fstat(watched))
    except OSError:
        return False


def _polled(root: Path, stop: threading.Event) -> Iterator[None]:
    """Wait for news by reading everything again and again."""
    before, took_s = _content(root), 0.0
    yield
    while not stop.wait(max(POLL_S, took_s / POLL_SHARE)):
        began_s = time.monotonic()
        now = _content(root)
        took_s = time.monotonic() - began_s
        if now != before:
            before = _at_rest(root, now, stop)
            yield


def _at_rest(root: Path, now: str, stop: threading.Event) -> str:
    """The content once two looks agree, or the burst has lasted long enough."""
    for _ in range(BURST_MAX_MS // QUIET_MS):
        stop.wait(QUIET_MS / 1000)
        before, now = now, _content(root)
        if now == before:
            break
    return now


def _content(root: Path) -> str:
    """What the game is now: its generation, or what is wrong with it."""
    try:
        return capture(root).generation
    except GameError as error:
        return str(error)
