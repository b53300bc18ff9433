"""`perdure new`, `perdure dev` and `perdure run` with a real game, as its author meets them."""

import os
import re
import signal
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pexpect
import pytest

from tests.cli.conftest import command, perdure
from tests.supervisor.conftest import DEADLINE_S

GAME = """
from perdure import Game, Player, command


class Tavern(Game):
    @command("hum", help="Hum.")
    def hum(self, player: Player) -> None:
        tune = "la la"
        print(f"{player} hums", flush=True)
        {pause}
        self.say(f"{player} hums {tune}.")

    @command("drop", help="Break something.")
    def drop(self, player: Player) -> None:
        raise ValueError("it broke \\x1b[2J")
"""


@pytest.fixture
def tavern(tmp_path: Path) -> Path:
    """A fresh project, with a game of the test's own."""
    assert perdure("new", "tavern", cwd=tmp_path).code == 0
    write(tmp_path / "tavern", "pass")
    return tmp_path / "tavern"


def write(project: Path, pause: str) -> None:
    for file in (project / "tavern").glob("*.py"):
        file.unlink()
    (project / "tavern" / "game.py").write_text(GAME.replace("{pause}", pause))


class Terminal:
    """A command in a terminal of its own."""

    def __init__(self, project: Path, *arguments: str) -> None:
        program, *rest = command(*arguments, str(project), "--telnet", "127.0.0.1:0", "--web", "127.0.0.1:0")
        environ = {name: value for name, value in os.environ.items() if not name.startswith("PERDURE_")}
        self.child = pexpect.spawn(program, rest, env={**environ, "TERM": "dumb"}, timeout=DEADLINE_S, encoding="utf-8")
        self.child.expect(r"telnet 127\.0\.0\.1 (\d+) and (http://127\.0\.0\.1:\d+/)")
        match = self.child.match
        assert isinstance(match, re.Match)
        self.port, self.page = int(match[1]), match[2]


@pytest.fixture(params=["dev", "run"])
def terminal(request: pytest.FixtureRequest, tavern: Path) -> Iterator[Terminal]:
    yield from running(tavern, request.param)


@pytest.fixture
def dev_without_pause(tavern: Path) -> Iterator[Terminal]:
    yield from running(tavern, "dev")


@pytest.fixture
def dev(tavern: Path) -> Iterator[Terminal]:
    write(tavern, "breakpoint()")
    yield from running(tavern, "dev")


def running(tavern: Path, how: str) -> Iterator[Terminal]:
    made = Terminal(tavern, how)
    yield made
    if made.child.isalive():
        assert (made.child.pid or 0) > 1
        made.child.kill(signal.SIGTERM)
        made.child.expect(pexpect.EOF)
    made.child.close()


class Guest:
    """A player who came in, as a guest or otherwise; a context manager."""

    def __init__(self, port: int, login: str = "guest") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S)
        self.seen = b""
        self.sees("Name:")
        self.types(login)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def types(self, line: str) -> None:
        self.socket.sendall(line.encode() + b"\r\n")

    def sees(self, text: str) -> None:
        while text.encode() not in self.seen:
            data = self.socket.recv(4096)
            assert data, f"disconnected before {text!r}: {self.seen!r}"
            self.seen += data
        self.seen = self.seen.partition(text.encode())[2]

    def sees_the_end(self) -> None:
        while self.socket.recv(4096):
            pass


def test_the_web_page_is_served_where_the_greeting_says(terminal: Terminal) -> None:
    """In one process as in several."""
    with urllib.request.urlopen(terminal.page, timeout=DEADLINE_S) as page:
        assert page.status == 200
        assert b"<html" in page.read().lower()


def test_a_new_game_is_played_and_stopped(terminal: Terminal) -> None:
    """Both ways of serving let a guest in, play, and say goodbye on Ctrl-C."""
    with Guest(terminal.port) as guest:
        guest.types("hum")
        guest.sees("Guest1 hums la la.")
        terminal.child.sendintr()
        guest.sees("stopping")
        guest.sees_the_end()
    terminal.child.expect("Stopped. All is saved.")
    terminal.child.expect(pexpect.EOF)
    terminal.child.close()
    assert terminal.child.exitstatus == 0


def test_commands_work_on_both_ways_of_serving(terminal: Terminal, tavern: Path) -> None:
    """`dev` answers on the same control socket, with the same fields, and tells the same events."""
    status = perdure("status", "--json", "--detail", cwd=tavern).json
    assert [process["name"] for process in status["processes"]] == ["supervisor", "gateway", "host-1"]
    assert [room["id"] for room in status["rooms"]] == ["main"]
    assert perdure("version", "--json", cwd=tavern).json["build"] == status["build"]
    assert "host-1 has 1 new room; it took" in perdure("events", cwd=tavern).out
    assert perdure("room", "show", "main", cwd=tavern).code == 0
    assert perdure("log-level", "debug", cwd=tavern).code == 0
    assert perdure("stop", cwd=tavern).code == 0
    terminal.child.expect(pexpect.EOF)


def test_dev_prints_in_the_terminal_and_breakpoint_stops_there(dev: Terminal) -> None:
    """The debugger sees the callback's variables, and may take longer than the callback's budget."""
    with Guest(dev.port) as guest:
        guest.types("hum")
        dev.child.expect("Guest1 hums")
        dev.child.expect(r"\(Pdb\)")
        dev.child.sendline("p tune")
        dev.child.expect("'la la'")
        dev.child.sendline("import time; time.sleep(1.2)")
        dev.child.sendline("tune = 'louder'")
        dev.child.sendline("c")
        guest.sees("Guest1 hums louder.")


def test_dev_survives_the_order_for_a_copyover(dev_without_pause: Terminal) -> None:
    """SIGUSR1 is answered as the command is, and its players stay."""
    with Guest(dev_without_pause.port) as guest:
        dev_without_pause.child.kill(signal.SIGUSR1)
        dev_without_pause.child.expect(r"a copyover was not begun: This server is one process")
        guest.types("hum")
        guest.sees("Guest1 hums")


def test_dev_shows_the_traceback_of_a_fault(dev: Terminal) -> None:
    """With the author's line, and without the escapes of the message (FM-83)."""
    with Guest(dev.port) as guest:
        guest.types("drop")
        dev.child.expect(r"game\.py[^$]*raise ValueError")
        dev.child.expect(r"ValueError: it broke")
        before = dev.child.before or ""
        dev.child.expect(
            r'the command "drop" \(\w+\.\w+\) in room main faulted at \S+game\.py:\d+ and was undone: ValueError'
        )
        assert "\x1b[2J" not in before + (dev.child.before or "")


def test_a_game_that_does_not_load_names_file_and_line(tavern: Path) -> None:
    """Exit 7 for `dev` and `run`, with the author's line and no traceback of ours."""
    (tavern / "tavern" / "game.py").write_text("from perdure import Game\n\nclass Tavern(Game:\n")
    for how in ("dev", "run"):
        done = perdure(how, tavern, "--telnet", "127.0.0.1:0", "--web", "127.0.0.1:0")
        assert done.code == 7, done
        assert "game.py" in done.err
        assert "3" in done.err
        assert "perdure/host" not in done.err


# --- new code in a running world ---


def edit(project: Path, old: str, new: str) -> None:
    """Change the game's file as an editor does: another file, renamed over it."""
    file = project / "tavern" / "game.py"
    text = file.read_text()
    assert old in text
    file.with_suffix(".new").write_text(text.replace(old, new))
    file.with_suffix(".new").replace(file)


def test_a_saved_file_is_live_and_a_broken_one_changes_nothing(terminal: Terminal, tavern: Path) -> None:
    """The builder reads it in the terminal, the player goes on, whichever way the server runs (FM-42...45)."""
    with Guest(terminal.port) as guest:
        guest.types("hum")
        guest.sees("Guest1 hums la la.")
        edit(tavern, "la la", "fa fa")
        terminal.child.expect(r"tavern(, at the start)?: game is new in 1 room \(longest pause \d+\.\d ms\)\.")
        guest.types("hum")
        guest.sees("Guest1 hums fa fa.")
        edit(tavern, "class Tavern(Game):", "class Tavern(Game:")
        terminal.child.expect(r"tavern: nothing was changed\. game\.py:\d+: .*The last good code of game serves\.")
        guest.types("hum")
        guest.sees("Guest1 hums fa fa.")
        edit(tavern, "class Tavern(Game:", "class Tavern(Game):")
        edit(tavern, "fa fa", "so so")
        terminal.child.expect(r"tavern: game is new in 1 room")
        guest.types("hum")
        guest.sees("Guest1 hums so so.")


def test_reload_is_asked_for_by_name(terminal: Terminal, tavern: Path) -> None:
    """Exit codes, reports for people and programs, and what is said about wrong names."""
    assert perdure("reload", cwd=tavern).out == "tavern: nothing to do: all of it runs already.\n"
    report = perdure("reload", "tavern.game", "--json", cwd=tavern).json
    assert (report["game"], report["trigger"], report["failed"]) == ("tavern", "command", [])
    wrong = perdure("reload", "tavern.gane", cwd=tavern)
    assert wrong.code == 4
    assert "tavern has no module 'gane'. Did you mean game? It has only game." in wrong.err
    edit(tavern, "def hum", "def hum(")
    broken = perdure("reload", cwd=tavern)
    assert broken.code == 3
    assert "The last good code of game serves." in broken.out
    assert perdure("reload", "--dry-run", cwd=tavern).code == 3
    listed = perdure("modules", "--json", cwd=tavern).json["generations"]
    assert [(generation["game"], generation["rooms"], generation["alive"]) for generation in listed] == [
        ("tavern", 1, True)
    ]


def test_only_admins_reload_from_within_the_game(dev_without_pause: Terminal, tavern: Path) -> None:
    """Others read one line, and the event log says who tried; an admin reads the report."""
    with Guest(dev_without_pause.port) as guest:
        guest.types("@reload")
        guest.sees("Only admins may do that.")
        dev_without_pause.child.expect(r"Guest1 \(\w+\) typed @reload in room main and may not: nothing happened")
    word = "a long enough password"
    assert perdure("account", "create", "Ada", "--role", "admin", "--password-stdin", cwd=tavern, stdin=word).code == 0
    with Guest(dev_without_pause.port, f"connect Ada {word}") as ada:
        ada.types("@reload")
        ada.sees("tavern: nothing to do: all of it runs already. Asked for by Ada.")
        ada.types("@reload gane")
        ada.sees("Did you mean game?")
