"""An author at work on a village that people play in: edits, good and broken ones, and what a player sees of them."""

import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from perdure.cli.client import Client as Control
from perdure.errors import PerdureError
from tests.e2e.checker import Report, check
from tests.e2e.clients import PASSWORD, Client, LineClient, players
from tests.e2e.server import GAMES, Server, project, serving, wait_until
from tests.e2e.talk import Talk

WELCOME = "Welcome to the village"
PROBE_S = 0.001
ASKED_MAX = 2
"""Questions of the probe that may be on their way."""
RELOADS = ("reloaded", "reload-failed")
MARKED = ("words", "game", "wares", "talk", "bank", "shop", "outside")
"""Files of the village whose edits `marks` tells."""
WARES = "/wares.toml"

Marks = dict[str, int]
Save = Callable[[Path, str], None]


def overwrite(path: Path, text: str) -> None:
    """As simple editors save."""
    path.write_text(text)


def replace(path: Path, text: str) -> None:
    """As careful editors save: another file, under the name of the first."""
    beside = path.with_name(f".{path.name}.swp")
    beside.write_text(text)
    beside.replace(path)


SAVES: Sequence[Save] = (overwrite, replace)


class Breakage(NamedTuple):
    """How a file is broken: the one text becomes the other, and the error is in the line that has `where`.

    Attributes:
        says: Part of what the report says about it.
        blames: The file with that line.
    """

    old: str
    new: str
    where: str
    says: str
    blames: str = ""


BROKEN = {
    "syntax": Breakage("# halfway", "def broken(:", "def broken(:", "syntax"),
    "exception": Breakage("# halfway", "LEFT = [1, 2]\nLEFT[2]\nRIGHT = 3", "LEFT[2]", "IndexError"),
    "import": Breakage("# halfway", "from .nothing import anything", "from .nothing", "nothing"),
}
REMOVED_NAME = Breakage("def ends(", "def finishes(", "import ends", "ends", "bank")
"""Of `words`: it loads, and what imports it does not."""
WRONG_KEY = Breakage("price =", "prise =", "prise =", "price")
"""Of the data file."""


class Broken(NamedTuple):
    """A file that is broken now: the error has to be reported for this file and line.

    Attributes:
        module: As reports call it.
    """

    name: str
    module: str
    file: str
    line: int
    says: str


class Village:
    """A village of its own for a test, as its author wants it to be.

    Args:
        folder: Gets the project.
        settings: Of the game, in perdure.toml.

    Attributes:
        marks: File (without its ending) -> the number of its last good edit.
        edits: How many there were.
    """

    def __init__(self, folder: Path, rooms: Sequence[str] = ("green", "inn"), **settings: object) -> None:
        self.folder = folder / "village"
        shutil.copytree(GAMES / "village", self.folder, ignore=shutil.ignore_patterns("__pycache__"))
        self.project = project(folder, {"village": self.folder}, dict.fromkeys(rooms, "village"), rooms[0], **settings)
        self.marks: Marks = dict.fromkeys(MARKED, 0)
        self.edits = 0
        self._texts = {name: self.file(name).read_text() for name in (*MARKED, "bells")}

    def file(self, name: str) -> Path:
        """Where it lies."""
        return self.folder / f"{name}.{'toml' if name == 'wares' else 'py'}"

    def text(self, name: str) -> str:
        """The file as it should be, whatever is saved now."""
        return self._texts[name]

    def marked(self, name: str) -> str:
        """Make the next good edit of a file, without saving it. Returns its text."""
        self.edits += 1
        self.marks[name] = self.edits
        pattern = r"^price = \d+$" if name == "wares" else r"^MARK = \d+$"
        self._texts[name] = re.sub(pattern, _numbered(self.edits), self._texts[name], count=1, flags=re.MULTILINE)
        return self._texts[name]

    def edit(self, name: str, save: Save = overwrite) -> float:
        """Save a good edit; the time at which it was saved."""
        text = self.marked(name)
        save(self.file(name), text)
        return time.monotonic()

    def change(self, name: str, old: str, new: str, save: Save = overwrite) -> None:
        """Replace a part of a file, which is how it should be from here on."""
        assert old in self._texts[name], f"{old!r} is not in {name}"
        self._texts[name] = self._texts[name].replace(old, new, 1)
        save(self.file(name), self._texts[name])

    def grow(self, name: str) -> None:
        """The row type of a file gets one more field with the next edit."""
        more = "# more fields"
        self._texts[name] = self._texts[name].replace(more, f"extra_{self.edits}: int = 0\n    {more}", 1)

    def spoil(self, name: str, how: Breakage, save: Save = overwrite) -> Broken:
        """Save a broken edit. What the file should be does not change."""
        assert how.old in self._texts[name]
        text = re.sub(r"^MARK = \d+$", "MARK = -1", self._texts[name].replace(how.old, how.new, 1), flags=re.MULTILINE)
        save(self.file(name), text)
        blamed = how.blames or name
        lines = (self._texts[blamed] if how.blames else text).splitlines()
        line = next(number for number, line in enumerate(lines, 1) if how.where in line)
        module = WARES.removeprefix("/") if name == "wares" else name
        return Broken(name, module, str(self.file(blamed)), line, how.says)

    def mend(self, name: str, save: Save = overwrite) -> None:
        """Save a file as it should be."""
        save(self.file(name), self._texts[name])


def _numbered(number: int) -> Callable[[re.Match[str]], str]:
    return lambda match: re.sub(r"\d+", str(number), match[0])


def breakages(name: str) -> list[Breakage]:
    """How this file may be broken."""
    if name == "wares":
        return [WRONG_KEY, BROKEN["syntax"]._replace(old="[mug]", new="[mug", where="[mug", says="")]
    return [*BROKEN.values(), *([REMOVED_NAME] if name == "words" else [])]


# -- what is seen of it ---------------------------------------------------------------------------------


class Probe:
    """A player who looks again and again which edits run.

    Attributes:
        states: (when, marks) of every look that saw something else than the one before.
        mixed: Lines in which some module had seen other words than those that run.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.states: list[tuple[float, Marks]] = []
        self.mixed: list[str] = []
        self._read = self._asked = self._answered = 0

    def wait(self, marks: Mapping[str, int]) -> float:
        """Look until exactly these edits run; when that was seen."""
        began = self._answered

        def seen() -> float | None:
            self._look()
            if self._answered > began + ASKED_MAX and self.states[-1][1] == marks:  # not an answer from before
                return self.states[-1][0]
            if self._asked - self._answered < ASKED_MAX:
                self._asked += 1
                self.client.send("marks")
            return None

        try:
            return wait_until(seen, f"the marks {dict(marks)}", look_s=PROBE_S)
        except AssertionError as error:
            last = self.states[-1] if self.states else None
            raise AssertionError(f"{error}; seen last: {last}, {self.client.seen[-1:]}") from None

    def _look(self) -> None:
        lines = self.client.seen
        while self._read < len(lines):
            at_s, text = lines[self._read]
            self._read += 1
            if not text.startswith("marks: "):
                continue
            self._answered += 1
            pairs = [re.split("[=/]", part) for part in text.split()[1:]]
            marks = {name: int(mark) for name, mark, _ in pairs}
            if {int(of_words) for _, _, of_words in pairs} - {-1, marks["words"]}:
                self.mixed.append(text)
            if not self.states or self.states[-1][1] != marks:
                self.states.append((at_s, marks))


class News:
    """The reports of reloads, as they come; a thread follows the event log."""

    def __init__(self, server: Server) -> None:
        self.events: list[dict[str, Any]] = []
        self._control = Control(server.state)
        self._control.request("events", {"follow": True})
        self._thread = threading.Thread(target=self._follow, daemon=True, name="news")
        self._thread.start()

    def _follow(self) -> None:
        with suppress(PerdureError, OSError):
            self.events += (event for event in self._control.events() if event["kind"] in RELOADS)

    def wait(self, since: int, fits: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """The first report after the first `since` ones that fits, once there is one."""

        def found() -> dict[str, Any] | None:
            return next((event["report"] for event in self.events[since:] if fits(event["report"])), None)

        try:
            return wait_until(found, f"a report with {what}")
        except AssertionError as error:
            raise AssertionError(f"{error}; there are: {[event['text'] for event in self.events[since:]]}") from None

    def wait_broken(self, since: int, broken: Broken) -> dict[str, Any]:
        """A report that names the broken file and its line."""
        return self.wait(since, lambda report: names(report, broken), f"{broken.file}:{broken.line}")

    def close(self) -> None:
        """Follow no more."""
        with suppress(OSError):
            self._control._socket.shutdown(2)
        self._thread.join()
        self._control.__exit__()


def names(report: Mapping[str, Any], broken: Broken) -> bool:
    """Whether a report names a broken file, with the line and what is wrong."""
    failed = any(
        (one["module"], one["file"], one["line"]) == (broken.module, broken.file, broken.line)
        and broken.says in one["message"]
        and "\n" not in one["message"]
        for one in report["failed"]
    )
    place = f"{Path(broken.file).name}:{broken.line}"
    return failed or any(
        one["module"] == broken.module and place in one["because"] and broken.says in one["because"]
        for one in report["held"]
    )


class Played(NamedTuple):
    """A village with players in it."""

    server: Server
    village: Village
    clients: list[Client]
    probe: Probe
    news: News

    def reload(self, **params: object) -> Any:
        """The report of a reload that is asked for on the control socket."""
        return self.server.ask("reload", game="village", **params)

    @property
    def serving(self) -> str:
        """The generation that new rooms get."""
        (game,) = self.server.ask("games")
        generation: str = game["generation"]
        return generation

    def generations(self) -> list[dict[str, Any]]:
        """The generations that are loaded."""
        listed: list[dict[str, Any]] = self.server.cli("modules", "--json").json["generations"]
        return listed

    def checked(self, talk: Talk) -> Report:
        """What the checker says of all that was said, the probe's ears included."""
        talk.report()
        return check([*self.clients, self.probe.client])


@contextmanager
def playing(
    folder: Path, count: int = 1, fault: str = "", rooms: Sequence[str] = ("green", "inn"), **settings: object
) -> Iterator[Played]:
    """A village that runs, with so many players and a probe, all in its first room."""
    village = Village(folder / "p", rooms, **settings)
    with (
        serving(folder, village.project, fault) as server,
        players(server.address, count, WELCOME) as clients,
        visiting(server, "Probe") as client,
    ):
        news = News(server)
        try:
            yield Played(server, village, clients, Probe(client), news)
        finally:
            news.close()


@contextmanager
def visiting(server: Server, name: str, verb: str = "create", role: str = "") -> Iterator[Client]:
    """One more player in the village; one with another role than player has the account made beforehand."""
    if role:
        made = server.cli("account", "create", name, "--role", role, "--password-stdin", stdin=PASSWORD)
        assert made.code == 0, made.err
    client = LineClient(name, server.address)
    try:
        client.log_in("connect" if role else verb)
        client.wait_for(WELCOME)
        yield client
    finally:
        client.close()


def any_save(random: Random) -> Save:
    """One of the ways to save."""
    return random.choice(SAVES)


def memory_bytes(pid: int) -> int:
    """Resident memory of a process that is no file's: the journal is mapped, and grows with every line said."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) << 10
