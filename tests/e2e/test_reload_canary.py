"""New code that is tried in some rooms first: it goes on, or goes back by itself; players of no room lose anything."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.clients import Client, players
from tests.e2e.edits import News
from tests.e2e.server import COMMAND, GAMES, Done, Server, environ, project, serving, wait_until

ROOMS = tuple(f"hall-{number}" for number in range(8))
CANARY = ["--canary", "25", "--watch"]
WATCH_S = "1.5"
FOR_EVER_S = "600"


class Beats:
    """A server of eight rooms that beat by themselves, and a player in the first."""

    def __init__(self, server: Server, folder: Path, client: Client, news: News) -> None:
        self.server, self.client, self.news = server, client, news
        self.file = folder / "beat.py"
        self.good = self.file.read_text()

    def edit(self, *changes: tuple[str, str]) -> None:
        """Save the game with these changes, and the next mark."""
        mark = int(self._mark) + 1
        text = self.good = re.sub(r"^MARK = \d+$", f"MARK = {mark}", self.good, flags=re.MULTILINE)
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        self.file.write_text(text)

    @property
    def _mark(self) -> str:
        match = re.search(r"^MARK = (\d+)$", self.good, re.MULTILINE)
        assert match
        return match[1]

    def generations(self) -> dict[str, str]:
        """Room -> the code that it runs."""
        return {room["id"]: room["generation"] for room in self.server.ask("rooms")}

    def try_first(self, watch_s: str = WATCH_S) -> Done:
        """Try what is on disk in two of the rooms."""
        return self.server.cli("reload", *CANARY, watch_s, "--json")

    def ask_for_ever(self) -> "subprocess.Popen[bytes]":
        """The same, in a process of its own, for longer than any test takes."""
        command = [*COMMAND, "reload", *CANARY, FOR_EVER_S, "--state", str(self.server.state)]
        nowhere = subprocess.DEVNULL
        return subprocess.Popen(command, stdin=nowhere, stdout=nowhere, stderr=nowhere, env=environ())

    def beats(self) -> dict[str, int]:
        """Mark of an edit -> how often it has beaten in the player's room."""
        since = len(self.client.seen)
        self.client.send("beats")
        number = self.client.wait_for("beats: ", since)
        pairs = (pair.split("=") for pair in self.client.seen[number - 1].text.split()[1:])
        return {mark: int(count) for mark, count in pairs}


@contextmanager
def beating(folder: Path) -> Iterator[Beats]:
    """A server of eight rooms, whose code is in a folder of its own."""
    code = folder / "p" / "beat"
    shutil.copytree(GAMES / "beat", code, ignore=shutil.ignore_patterns("__pycache__"))
    made = project(folder / "p", {"beat": code}, dict.fromkeys(ROOMS, "beat"), ROOMS[0])
    with serving(folder, made) as server, players(server.address, 1, "Welcome to the beat") as (ada,):
        news = News(server)
        try:
            yield Beats(server, code, ada, news)
        finally:
            news.close()


@pytest.fixture(scope="module")
def eight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beats]:
    """Eight rooms for all tests here that leave them whole."""
    with beating(tmp_path_factory.mktemp("b")) as beats:
        yield beats


def went_back(eight: Beats, done: Done) -> dict[str, Any]:
    """What a canary says that went back: all rooms run what they ran, and there are two reports of it."""
    assert done.code == 3, done
    canary: dict[str, Any] = done.json["canary"]
    assert (canary["went_on"], len(canary["rooms"]), canary["moved"]["rooms"], canary["unmoved"]["rooms"]) == (
        False, 2, 2, 6,
    )  # fmt: skip
    back = canary["back"]
    assert (back["trigger"], back["rooms"]["swapped"], back["rooms"]["refused"]) == ("canary", 2, [])
    generations = set(eight.generations().values())
    assert generations == {done.json["generation"]["from"]} == {done.json["generation"]["to"]}
    eight.news.wait(0, lambda report: report == back, "what the canary said of its way back")
    assert [one["rooms"] for one in eight.server.ask("modules")["generations"]] == [8]
    return canary


def test_a_canary_of_good_code_goes_on_to_all_rooms(eight: Beats) -> None:
    """Both sides have beaten while they were watched, and no fault was seen."""
    eight.edit()
    done = eight.try_first()
    assert done.code == 0, done
    canary = done.json["canary"]
    assert (canary["went_on"], canary["back"], len(canary["rooms"])) == (True, None, 2)
    assert (canary["moved"]["callbacks"] > 0, canary["unmoved"]["callbacks"] > 0) == (True, True)
    assert set(eight.generations().values()) == {done.json["generation"]["to"]}
    assert "watched" in eight.server.cli("events").out


def test_a_canary_of_slow_code_goes_back_by_itself(eight: Beats) -> None:
    """It is the tick times of those that moved, against those that did not, that count."""
    before = eight.beats()
    eight.edit(("SLOW_S = 0.0", "SLOW_S = 0.08"))
    canary = went_back(eight, eight.try_first())
    assert "the median callback takes" in canary["reason"], canary
    assert canary["moved"]["tick_p50_ms"] > 80.0
    assert all(eight.beats()[mark] >= count for mark, count in before.items())


def test_a_canary_of_faulting_code_goes_back_by_itself(eight: Beats) -> None:
    """One fault is enough where the old code has none; what it did meanwhile was undone."""
    eight.edit(("# halfway", 'raise RuntimeError("out of beat")'))
    canary = went_back(eight, eight.try_first())
    assert canary["moved"]["faults"] > 0 == canary["unmoved"]["faults"]
    assert "with the new code" in canary["reason"], canary


def test_a_canary_that_could_not_come_back_does_not_begin(eight: Beats) -> None:
    """No migration leads back, so nothing was tried; the report says so before any room was touched."""
    before = eight.generations()
    eight.edit(
        ("import Game,", "import Game, migrate,"),
        ("beats: int = 0", 'pulse: int = 0\n\n\n@migrate(Count, 1)\ndef on(row): return {"pulse": row["beats"]}'),
        ("class Beat(Game):", "class Beat(Game):\n    version = 2"),
        (".beats += 1", ".pulse += 1"),
        ("{count.beats}", "{count.pulse}"),
    )
    done = eight.server.cli("reload", *CANARY, WATCH_S, "--allow-destructive", "--json")
    assert (done.code, "no migration leads back" in done.json["aborted"]) == (3, True), done
    assert (done.json["canary"]["rooms"], eight.generations()) == ([], before)
    eight.edit()
    assert eight.server.cli("reload").code == 0


def test_a_host_that_dies_while_a_canary_watches_loses_nothing(tmp_path: Path) -> None:
    """Rooms go on with what they ran, and nobody else is given code that was only on trial (FM-93)."""
    with beating(tmp_path) as eight:
        (old,) = set(eight.generations().values())
        eight.edit()
        asking = eight.ask_for_ever()
        try:
            eight.server.wait_event("canary")
            assert sorted(map(list(eight.generations().values()).count, set(eight.generations().values()))) == [2, 6]
            before = eight.beats()
            eight.server.kill_host()
            report = eight.news.wait(0, lambda report: report["trigger"] == "start", "trigger start")
            assert (report["generation"]["to"], report["rooms"]["swapped"]) == (old, 0), report
            assert "on trial" in report["aborted"]
            assert sorted(map(list(eight.generations().values()).count, set(eight.generations().values()))) == [2, 6]
            assert eight.server.cli("reload").code == 0
            assert len(set(eight.generations().values())) == 1
            assert all(eight.beats()[mark] >= count for mark, count in before.items())
            assert wait_until(lambda: asking.poll() is not None, "the end of who asked")
            assert asking.returncode != 0
        finally:
            if asking.poll() is None:
                asking.kill()
            asking.wait()
        assert [one["rooms"] for one in eight.server.ask("modules")["generations"]] == [8]
