"""`Live`: code that is replaced while any asyncio program runs."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from perdure.errors import GameError
from perdure.live import Live, Report
from perdure.live.building import Held, Warned

DEADLINE_S = 60


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    folder = tmp_path / "commands"
    folder.mkdir()
    (folder / "words.py").write_text('HELLO = "Hello"')
    (folder / "greet.py").write_text("from .words import HELLO\ndef run(name): return f'{HELLO}, {name}!'")
    return folder


def living(path: Path, test: Callable[[Live, "asyncio.Queue[Report]"], Awaitable[None]]) -> None:
    """Run a test with loaded code, and a queue of its reports."""

    async def main() -> None:
        reports: asyncio.Queue[Report] = asyncio.Queue()
        live = Live(path, on_report=reports.put_nowait)
        live.load()
        try:
            async with asyncio.timeout(DEADLINE_S):
                await test(live, reports)
        finally:
            live.close()

    asyncio.run(main())


def greeting(live: Live) -> str:
    with live.code() as modules:
        return str(modules["greet"].run("Ada"))


def test_a_reload_brings_what_changed_and_says_so(commands):
    """Also to the modules that use it (FM-45); what did not change is not executed again."""

    async def test(live: Live, reports: "asyncio.Queue[Report]") -> None:
        (commands / "other.py").write_text("x = 1")
        assert (await live.reload()).lines == ["added: other"]
        with live.code() as modules:
            other = modules["other"]
        (commands / "words.py").write_text('HELLO = "Hi"')
        report = await live.reload()
        assert greeting(live) == "Hi, Ada!"
        assert report == Report(refreshed=("greet", "words"))
        assert report.changed
        with live.code() as modules:
            assert modules["other"] is other
        (commands / "other.py").unlink()
        assert (await live.reload()).lines == ["removed: other"]
        assert [reports.get_nowait().changed for _ in range(3)] == [True] * 3

    living(commands, test)


def test_what_does_not_load_changes_nothing_and_is_explained(commands):
    """The last good version goes on, whatever is wrong, the text or what it does to others (FM-42, FM-44)."""

    async def test(live: Live, reports: "asyncio.Queue[Report]") -> None:
        before = live.generation
        (commands / "words.py").write_text('HELLO = "Hi')
        report = await live.reload()
        assert report.lines == [f"failed: {commands / 'words.py'}:1: unterminated string literal (detected at line 1)"]
        (commands / "words.py").write_text("BYE = 1")
        report = await live.reload()
        assert [held.module for held in report.held] == ["words"]
        assert "cannot import name 'HELLO'" in report.lines[0]
        assert not report.changed
        assert live.generation == before
        assert greeting(live) == "Hello, Ada!"

    living(commands, test)


def test_a_folder_that_cannot_be_loaded_at_all_is_a_report(commands):
    """Once for each thing that is wrong with it, while it is watched; the code goes on."""

    async def test(live: Live, reports: "asyncio.Queue[Report]") -> None:
        (commands / "random.py").write_text("")
        [line] = (await live.reload()).lines
        assert line.startswith(f"failed: {commands / 'random.py'}: is named like Python's own module random")
        assert greeting(live) == "Hello, Ada!"

    living(commands, test)


def test_a_save_is_live_while_it_is_watched(commands):
    """Good ones and broken ones, each with one report; a save without a change has none (FM-43)."""

    async def test(live: Live, reports: "asyncio.Queue[Report]") -> None:
        async with live.watching():
            (commands / "words.py").write_text('HELLO = "Hi"')
            assert (await reports.get()).refreshed == ("greet", "words")
            (commands / "words.py").write_text('HELLO = "Hi"')
            (commands / "new").write_text("HELLO =")
            (commands / "new").rename(commands / "words.py")
            assert [failed.line for failed in (await reports.get()).failed] == [1]
            assert greeting(live) == "Hi, Ada!"
            (commands / "words.py").write_text('HELLO = "Hey"')
            assert (await reports.get()).refreshed == ("greet", "words")
            assert greeting(live) == "Hey, Ada!"

    living(commands, test)


def test_whoever_is_inside_keeps_what_they_have(commands):
    """A task that began on the old code ends on it, across its awaits; the old code is cleared after that (FM-48)."""

    async def test(live: Live, reports: "asyncio.Queue[Report]") -> None:
        with live.code() as old:
            module = old["greet"]
            (commands / "words.py").write_text('HELLO = "Hi"')
            await live.reload()
            assert greeting(live) == "Hi, Ada!"
            assert module.run("Ada") == "Hello, Ada!"
        assert not hasattr(module, "run")

    living(commands, test)


def test_reloads_take_turns(commands):
    """Two at once are one after the other, and the newest files win (FM-51)."""

    async def test(live: Live, reports: "asyncio.Queue[Report]") -> None:
        first = asyncio.ensure_future(live.reload())
        (commands / "words.py").write_text('HELLO = "Hi"')
        await asyncio.gather(first, live.reload(), live.reload())
        assert greeting(live) == "Hi, Ada!"

    living(commands, test)


def test_whoever_stops_waiting_does_not_stop_a_reload_halfway(commands):
    """A cancelled task leaves no generation that nobody knows of."""

    async def test(live: Live, reports: "asyncio.Queue[Report]") -> None:
        (commands / "words.py").write_text('HELLO = "Hi"')
        waiting = asyncio.ensure_future(live.reload())
        await asyncio.sleep(0)
        waiting.cancel()
        assert (await reports.get()).refreshed == ("greet", "words")
        assert greeting(live) == "Hi, Ada!"

    living(commands, test)


def test_the_loop_goes_on_while_a_module_is_loaded(commands):
    """A module body that waits for something from the loop gets it: bodies run in a thread of their own."""

    async def test(live: Live, reports: "asyncio.Queue[Report]") -> None:
        gate, loading = threading.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        with live.code() as modules:
            started = partial(loop.call_soon_threadsafe, loading.set)
            vars(modules["words"]).update(gate=gate, loading=started)
            (commands / "slow.py").write_text("from . import words\nwords.loading()\nassert words.gate.wait(9)")
            reload = asyncio.ensure_future(live.reload())
            await loading.wait()
            assert greeting(live) == "Hello, Ada!"
            gate.set()
            assert (await reload).added == ("slow",)

    living(commands, test)


def test_the_first_load_must_succeed(commands):
    """There is no last good code yet; the error says where to look."""
    (commands / "words.py").write_text("HELLO = 1 +")
    live = Live(commands)
    with pytest.raises(GameError, match=r"words\.py:1: invalid syntax"):
        live.load()
    live.close()


def test_reports_go_to_the_error_output_unless_somebody_takes_them(commands, capsys):
    """A program of ten lines needs no reporting of its own."""
    live = Live(commands)
    live.load()
    (commands / "other.py").write_text("x = 1")
    asyncio.run(_reload(live))
    live.close()
    assert capsys.readouterr().err == "added: other\n"


async def _reload(live: Live) -> None:
    await live.reload()
    await live.reload()


def test_warnings_and_empty_reports_have_lines():
    """What was done, what is wrong, what is left where a reload does not reach."""
    assert Report().lines == ["nothing changed"]
    report = Report(refreshed=("",), held=(Held("a", "b is broken"),), warnings=(Warned("a", "/a.py", 3, "a thread."),))
    assert report.lines == ["reloaded: the package", "held: a, because b is broken", "warning: /a.py:3: a thread."]
