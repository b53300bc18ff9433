"""Cases with a room: somebody plays in a real host while the code of the game is edited.

Their folders are laid out like the others; ``expected.py`` holds a `RoomCase`, which tells what happens in order.
Journal, stores and build thread are real; the time of the host stands still until a step lets it pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from perdure.config import Game
from perdure.games.python.program import PythonProgram
from perdure.host.library import Library
from perdure.host.reloads import Reloads
from perdure.live.compiling import compile_here
from perdure.movement.order import ReloadOrder
from perdure.store.blobs import FileBlobs
from perdure.store.owners import SqliteOwners
from tests.host.hosting import ANN, World, began
from tests.reload_cases.case import GAME, Found, Report
from tests.reload_cases.ours import Remains, check_report
from tests.reload_cases.playing import EDIT_S, write

SAVED_S = 1_700_000_000.0


@dataclass(frozen=True)
class Types:
    """The player types a line, and is shown exactly these texts; FOLDER in the line is a folder of the case."""

    line: str
    shown: Sequence[str] = ()


@dataclass(frozen=True)
class Passes:
    """Time passes, and the player is shown exactly these texts."""

    seconds: float
    shown: Sequence[str] = ()


@dataclass(frozen=True)
class Touches:
    """A file appears in the folder of the case, which something waits for; the player is shown exactly these texts."""

    name: str
    shown: Sequence[str] = ()


@dataclass(frozen=True)
class Edit:
    """The game becomes what `to` holds, and is reloaded; the player is shown exactly these texts.

    Attributes:
        report: What is reported of modules.
        migrations: (table, rows that are converted).
        orphans: Handlers that something waits for, and tables that rows do.
        times: Reloads that are asked for at once; the report is the first one's, the others change nothing.
    """

    to: Literal["before", "after"]
    report: Report
    migrations: Sequence[tuple[str, int]] = ()
    orphans: Sequence[str] = ()
    times: int = 1
    shown: Sequence[str] = ()


Step = Types | Passes | Touches | Edit


@dataclass(frozen=True)
class RoomCase:
    """A case with a room and a player in it.

    Attributes:
        row: What the table calls it.
        holds: What holds, for the table.
        steps: What happens.
    """

    row: str
    holds: str
    steps: Sequence[Step] = field(default_factory=list)


class Town(World):
    """A world whose one game lies in a folder.

    Attributes:
        library: Its code.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, {"hall": GAME})
        self.settings = {GAME: Game(path=GAME)}
        self._owners = SqliteOwners(folder / "owners.db")
        events: list[dict[str, Any]] = []
        self.library = Library({GAME: folder / GAME}, FileBlobs(folder / "blobs"), self._owners, events.append)

    def programs(self) -> Library:
        return self.library

    def close(self) -> None:
        """All of its code is gone."""
        for _, program in list(self.library.programs()):
            while program.uses:
                program.release()
        self._owners.close()


class Playing:
    """A case that is being played.

    Attributes:
        remains: What is left of code that is not in effect any more.
    """

    def __init__(self, found: Found, folder: Path) -> None:
        self.found, self.folder, self.remains = found, folder, Remains()
        write(folder, found.before, time_s=SAVED_S)
        self.edits = 0
        self.town = Town(folder)
        self.life, self.gateway = began(self.town)
        self.reloads = Reloads(
            self.life.host, self.town.library, self.life.loop, compile_here,
            clock=self.life.clock, fault=self.life.faults, notify=self.life.events.append,
        )  # fmt: skip

    def play(self) -> None:
        """Every step, asserted; afterwards only the code in effect is alive."""
        for step in self.found.case.steps:
            read = self.gateway.read[ANN] = []
            self.take(step)
            self.life.until(lambda: not self.gateway.unacknowledged)
            self.life.until(partial(_are, read, len(step.shown)))
            assert [text.strip() for text in read] == list(step.shown), step
        assert not self.gateway.over, "nobody is disconnected"
        assert not self.remains.alive()

    def take(self, step: Step) -> None:
        """Let one step happen."""
        match step:
            case Types(line=line):
                self.gateway.type(line.replace("FOLDER", str(self.folder)))
            case Passes(seconds=seconds):
                self.life.advance(seconds)
            case Touches(name=name):
                (self.folder / name).touch()
            case Edit():
                self.edit(step)

    def edit(self, edit: Edit) -> None:
        """Save the files, reload, and compare what is reported."""
        self.edits += 1
        game = self.found.after if edit.to == "after" else self.found.before
        write(self.folder, game, time_s=SAVED_S + self.edits * EDIT_S)
        before = self.town.library.current(GAME)
        self.remains.add(_modules(before))
        asked = [self.life.loop.create_task(self.reloads.reload(ReloadOrder(GAME))) for _ in range(edit.times)]
        self.life.until(lambda: all(task.done() for task in asked))
        first, *others = [task.result() for task in asked]
        now = self.town.library.current(GAME)
        self.remains.spare(_modules(now))
        check_report(first, edit.report)
        assert all(not report.changed and report.is_clean for report in others)
        assert [(migration.table, migration.rows) for migration in first.migrations] == list(edit.migrations)
        assert [orphan.handler for orphan in first.orphans] == list(edit.orphans)
        assert first.rooms.swapped == (now is not before)
        assert not first.rooms.refused

    def close(self) -> None:
        """The host is gone, and all of its code with it."""
        self.life.crash()
        self.remains.add(_modules(self.town.library.current(GAME)))
        self.town.close()


def _are(texts: list[str], count: int) -> bool:
    return len(texts) >= count


def _modules(program: PythonProgram) -> dict[str, ModuleType]:
    assert program.loaded is not None
    return dict(program.loaded.modules)
