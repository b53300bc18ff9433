"""The plaza: a game for clients of every kind, whose file is edited and whose host is replaced while they play."""

import re
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from perdure.cli.client import Client as Control
from tests.e2e.clients import Client
from tests.e2e.copyovers import COPYOVER_S
from tests.e2e.programs import command
from tests.e2e.server import GAMES, Server, kill, project, serving, wait_until

ROOM = "plaza"
ME = re.compile(r"(?:<[^>]*> )*me: mark=(\d+) (.*)")


class Plaza:
    """A running server with the plaza.

    Args:
        folder: Gets the project.

    Attributes:
        server: Once it runs.
        mark: Number of the last edit.
        clients: Who plays, by the kind of their client.
    """

    def __init__(self, folder: Path) -> None:
        self._code = folder / "plaza" / "game.py"
        shutil.copytree(GAMES / "plaza", folder / "plaza", ignore=shutil.ignore_patterns("__pycache__"))
        self.project = project(folder, {"plaza": folder / "plaza"}, {ROOM: "plaza"}, ROOM, watch=True)
        self._held = folder / "held"
        waiting = f'while [ -e {self._held} ]; do sleep 0.02; done; exec "$@"'
        with (folder / "perdure.toml").open("a") as file:
            file.write(f"[host]\ncommand = {_toml(['sh', '-c', waiting, 'sh', *command(sys.executable)])}\n")
        self.server: Server
        self.mark = 0

    def edit(self) -> None:
        """Save the game with its next mark, and wait until that runs."""
        reloads = len(self.server.events("reloaded"))
        self.mark += 1
        self._code.write_text(
            re.sub(r"^MARK = \d+$", f"MARK = {self.mark}", self._code.read_text(), flags=re.MULTILINE)
        )
        self.server.wait_event("reloaded", reloads + 1)

    def copyover(self) -> dict[str, Any]:
        """Another host takes the plaza; its report."""
        with Control(self.server.state) as control:
            report: dict[str, Any] = control.request("copyover", {}, timeout_s=COPYOVER_S)
        assert (report["outcome"], report["reason"], report["sessions"]["lost"]) == ("committed", "", 0), report
        return report

    @contextmanager
    def held(self) -> Iterator[None]:
        """Inside the block no host can start; those that should do it behind it."""
        self._held.touch()
        try:
            yield
        finally:
            self._held.unlink()

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Inside the block a copyover is under way and gets no further; it is over behind it."""
        failed: list[BaseException] = []

        def move() -> None:
            try:
                self.copyover()
            except BaseException as error:  # noqa: BLE001  (raised where the block is left)
                failed.append(error)

        moves = threading.Thread(target=move, daemon=True, name="copyover")
        try:
            with self.held():
                moves.start()
                wait_until(lambda: self.server.ask("status")["copyover"]["state"] != "idle", "the copyover")
                yield
        finally:
            moves.join(COPYOVER_S)
        if failed:
            raise failed[0]

    def kill(self, *kinds: str) -> None:
        """kill -9 the host, whatever it is called by now, or the gateway, or both at once."""
        running = {one["name"].partition("-")[0]: one["pid"] for one in self.server.ask("status")["processes"]}
        for kind in kinds:
            kill(running[kind])

    def kill_host(self) -> None:
        """kill -9 the host, and wait until another one serves."""
        ready = len(self.server.events("ready"))
        self.kill("host")
        self.server.wait_event("ready", ready + 1)

    def session(self, client: Client) -> dict[str, Any]:
        """What the server reports of the client's session."""
        found: list[dict[str, Any]] = [one for one in self.server.ask("sessions") if one["name"] == client.name]
        assert len(found) == 1, found
        return found[0]


def asks_me(client: Client) -> tuple[int, str]:
    """The edit that runs, and what the game knows of the client."""
    since = len(client.seen)
    client.command("me", "me: mark=")
    (match,) = (found for line in client.seen[since:] if (found := ME.fullmatch(line.text)))
    return int(match[1]), match[2]


@contextmanager
def plaza(folder: Path) -> Iterator[Plaza]:
    """The plaza, running inside the block."""
    made = Plaza(folder / "p")
    with serving(folder, made.project) as made.server:
        yield made


def _toml(words: list[str]) -> str:
    return "[" + ", ".join(f"'{word}'" for word in words) + "]"
