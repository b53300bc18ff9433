"""News of a game's files come, whichever way an editor writes, and the event loop never looks itself."""

import asyncio
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from perdure.live.sources import capture
from perdure.live.watching import _matters, _notified, changes
from tests.namespaces import may_unshare

DEADLINE_S = 60


@pytest.fixture(params=["inotify", "poll"])
def poll(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "poll")


@pytest.fixture
def game(tmp_path: Path) -> Path:
    folder = tmp_path / "mud"
    folder.mkdir()
    (folder / "items.py").write_text("x = 1")
    return folder


def watched(path: Path, poll: bool, test: Callable[[AsyncIterator[None]], Awaitable[None]]) -> None:
    """Run a test with the news of `path`, once watching has begun."""

    async def main() -> None:
        news = changes(path, poll)
        await asyncio.wait_for(anext(news), DEADLINE_S)
        await test(news)
        await news.aclose()

    asyncio.run(main())


async def until(news: AsyncIterator[None], true: Callable[[], bool]) -> None:
    """Hear news until something is true: some of them may be about what came before."""
    async with asyncio.timeout(DEADLINE_S):
        while not true():
            await anext(news)


def test_each_way_of_saving_is_news(game, poll):
    """Writing in place, renaming over, a new file, a removed one, a file in a new folder (FM-43)."""

    async def test(news: AsyncIterator[None]) -> None:
        before = capture(game).generation

        async def heard(save: Callable[[], object]) -> None:
            nonlocal before
            save()
            async with asyncio.timeout(DEADLINE_S):
                while capture(game).generation == before:
                    await anext(news)
                await anext(news)
            before = capture(game).generation

        (game / "other").write_text("x = 3")
        await heard(lambda: (game / "items.py").write_text("x = 2"))
        await heard(lambda: os.replace(game / "other", game / "items.py"))
        await heard(lambda: (game / "pets.py").write_text(""))
        await heard((game / "pets.py").unlink)
        await heard(lambda: ((game / "zoo").mkdir(), (game / "zoo" / "cat.py").write_text("")))
        await heard(lambda: (game / "zoo" / "cat.py").write_text("y = 2"))
        await heard(lambda: (game / "town.toml").write_text("a = 1"))

    watched(game, poll, test)


def test_an_edit_of_the_same_size_within_the_same_second_is_news(game, poll):
    """Content decides, not the clock of the file system (FM-43)."""

    async def test(news: AsyncIterator[None]) -> None:
        status = (game / "items.py").stat()
        (game / "items.py").write_text("x = 2")
        os.utime(game / "items.py", ns=(status.st_atime_ns, status.st_mtime_ns))
        async with asyncio.timeout(DEADLINE_S):
            await anext(news)

    watched(game, poll, test)


def test_a_burst_of_saves_ends_in_news_of_the_last(game, poll):
    """Whatever is told in between, after the last save somebody looks again (FM-43)."""

    async def test(news: AsyncIterator[None]) -> None:
        for number in range(200):
            (game / "items.py").write_text(f"x = {number}")
        seen = b""
        async with asyncio.timeout(DEADLINE_S):
            while seen != b"x = 199":
                await anext(news)
                seen = capture(game).modules["items"].data

    watched(game, poll, test)


def test_a_folder_made_anew_is_watched_as_the_old_one_was(game, poll):
    """Deleted and unpacked again, or a link that leads to another release from now on."""

    async def test(news: AsyncIterator[None]) -> None:
        release = game.with_name("next")
        for number in range(3):
            release.mkdir()
            (release / "items.py").write_text(f"x = 'release {number}'")
            shutil.rmtree(game)
            release.rename(game)
            await until(news, lambda: b"release" in capture(game).modules["items"].data)
            async with asyncio.timeout(DEADLINE_S):
                await anext(news)

    watched(game, poll, test)


def test_a_folder_that_follows_at_once_is_not_taken_for_the_old_one(game):
    """File systems give the number of a deleted folder to the next one."""
    stop = threading.Event()
    news = _notified(game, stop)
    next(news)
    shutil.rmtree(game)
    game.mkdir()
    late = threading.Timer(DEADLINE_S, stop.set)
    late.start()
    next(news)
    (game / "items.py").write_text("x = 2")
    next(news)
    late.cancel()
    stop.set()


REMOUNT = """
import asyncio, subprocess, sys, time
from pathlib import Path
from perdure.live.watching import changes

folder, poll, unmount = Path(sys.argv[1]), sys.argv[2] == "poll", sys.argv[3:]

def run(*command):
    return subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0

async def main():
    run("mount", "-t", "tmpfs", "none", folder)
    (folder / "items.py").write_text("x = 1")
    news = changes(folder, poll)
    await anext(news)
    print("busy" if not poll and not run("umount", folder) else "free")
    while not run(*unmount, folder):
        time.sleep(0.01)  # it is just being read
    run("mount", "-t", "tmpfs", "none", folder)
    (folder / "items.py").write_text("x = 2")
    await asyncio.wait_for(anext(news), 60)
    print("heard")

asyncio.run(main())
"""


@pytest.mark.skipif(not may_unshare(), reason="needs the right to mount (root)")
def test_a_file_system_that_is_mounted_anew_is_watched(game, poll):
    """The watched folder is held open, so inotify wants a lazy unmount; who polls holds nothing."""
    unmount = ["umount"] if poll else ["umount", "--lazy"]
    command = ["unshare", "--mount", sys.executable, "-c", REMOUNT, str(game), "poll" if poll else "", *unmount]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.stdout.split() == ["free" if poll else "busy", "heard"], done.stderr


def test_a_link_that_leads_elsewhere_is_news(game, poll):
    """Releases are switched by a link; edits behind the new one are news as well."""
    link, other = game.with_name("live"), game.with_name("other")
    shutil.copytree(game, other)
    (other / "items.py").write_text("x = 2")
    link.symlink_to(game)

    async def test(news: AsyncIterator[None]) -> None:
        link.with_name("new").symlink_to(other)
        link.with_name("new").rename(link)
        async with asyncio.timeout(DEADLINE_S):
            await anext(news)
            (other / "items.py").write_text("x = 3")
            await anext(news)

    watched(link, poll, test)


def test_a_game_that_is_missing_may_come(tmp_path, poll):
    """A server can be started before its game was unpacked."""

    async def main() -> None:
        news = changes(tmp_path / "mud", poll)
        first = asyncio.ensure_future(anext(news))
        (tmp_path / "mud").mkdir()
        (tmp_path / "mud" / "items.py").write_text("x = 1")
        await asyncio.wait_for(first, DEADLINE_S)
        await news.aclose()

    asyncio.run(main())


def test_a_game_of_one_file_is_watched_with_its_data(tmp_path, poll):
    """In the folder that holds it; what else lies there is left alone."""
    game = tmp_path / "tavern.py"
    game.write_text("'drinks.toml'")
    (tmp_path / "drinks.toml").write_text("ale = 1")

    async def test(news: AsyncIterator[None]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            (tmp_path / "drinks.toml").write_text("ale = 2")
            await anext(news)
            (tmp_path / "new").write_text("'drinks.toml', 1")
            (tmp_path / "new").rename(game)
            await anext(news)

    watched(game, poll, test)


def test_whoever_stops_listening_leaves_no_thread(game, poll):
    """A reload that is switched off costs nothing."""

    async def test(news: AsyncIterator[None]) -> None:
        assert [thread for thread in threading.enumerate() if thread.name == "watch mud"]

    watched(game, poll, test)
    for thread in threading.enumerate():
        if thread.name == "watch mud":
            thread.join(DEADLINE_S)
            assert not thread.is_alive()


@pytest.mark.parametrize(
    ("kind", "name", "matters"),
    [
        (2, "mud/items.py", True),
        (2, "mud/maps/town.toml", True),
        (1, "mud/zoo", True),
        (3, "mud/zoo", True),
        (2, "mud/.perdure/journal/1", False),
        (1, "mud/.items.py.swp", False),
        (2, "mud/__pycache__/items.py", False),
        (2, "mud/tests/test_items.py", False),
        (2, "mud/players.log", False),
    ],
)
def test_what_cannot_be_the_games_makes_nobody_look(kind, name, matters):
    """A journal or a log that is written beside the code would cause a look for each line."""
    assert _matters(Path("/games/mud"), kind, Path("/games") / name) is matters
