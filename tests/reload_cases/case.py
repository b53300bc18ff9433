"""What a reload case is: a small game before and after an edit, and what must hold once it is reloaded.

A folder NAME holds ``before.py`` and ``after.py``, each the whole game in one text, and ``expected.py`` with
a `Case`. Every line ``# file: items.py`` begins a file of the game (``shop/__init__.py`` and ``shop/goods.py``
make a package); its first line is the one below. The game is called ``world``.

Everything here runs in any Python without a library, since other tools play the same cases in environments of
their own (``python -m bench.semantics``).
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
GAME = "world"
_FILE = re.compile(r"^# file: (\S+)\n", re.MULTILINE)


@dataclass(frozen=True)
class Raised:
    """What an expression gives that raises: the error's class."""

    error: str


@dataclass(frozen=True)
class _Unasked:
    """Asking before the edit would change what is asked."""


UNASKED = _Unasked()


@dataclass(frozen=True)
class Sees:
    """One question and its answers.

    Attributes:
        expression: Python; it may use the modules of the game by name, those in packages by ``module("shop.goods")``,
            what is held, ``modules`` (all their names), ``world`` (the game's package), and ``begin(function, …)``,
            which runs it in a thread.
        before: Its value before the edit; `UNASKED` if asking would change it.
        after: The value that the edit means it to have.
        perdure: What it is with Perdure, where that is something else.
        wrong: What to call it when the value is neither the old nor the new one.
    """

    expression: str
    before: Any
    after: Any
    perdure: Any = UNASKED
    wrong: str = "half-applied"

    @property
    def stays(self) -> bool:
        return bool(self.before == self.after)

    @property
    def with_perdure(self) -> Any:
        return self.after if isinstance(self.perdure, _Unasked) else self.perdure


def keeps(expression: str, value: Any, **options: Any) -> Sees:
    """An answer that the edit must not change."""
    return Sees(expression, value, value, **options)


@dataclass(frozen=True)
class Report:
    """What Perdure reports.

    Attributes:
        refreshed, added, removed: Modules.
        failed: (module, line, part of the message); line 0 is any.
        held: (module, part of why).
        warnings: (module, part of the message); at least these.
    """

    refreshed: Sequence[str] = ()
    added: Sequence[str] = ()
    removed: Sequence[str] = ()
    failed: Sequence[tuple[str, int, str]] = ()
    held: Sequence[tuple[str, str]] = ()
    warnings: Sequence[tuple[str, str]] = ()


class Part(Enum):
    """What a case is about; the table has one part for each."""

    HELD = "What is held"
    TOGETHER = "What hangs together"
    COMING = "What comes and goes"
    BROKEN = "What is broken"
    RUNNING = "What is running"
    LEFT = "What a module leaves behind"


@dataclass(frozen=True)
class Case:
    """A case without rooms: a program holds on to some objects, and looks others up.

    Attributes:
        row: What the table calls it.
        part: Where in the table it stands.
        report: What Perdure reports.
        hold: Name -> expression; taken before the edit, in order, each may use those above it.
        held: What is asked of what is held.
        fresh: What is asked of what is looked up anew.
        says_so: Whether the caller says what it holds, where a tool has a way to (Perdure: `Generation.hold`).
        over: Expressions that end what the case began.
        saved: Files in the order in which they are saved, each followed by a reload; none: all, and one reload.
        same_second: The edited files keep size and time of modification.
        body_s: How long a module's body may run.
        outlives: Why objects of the old code live on after the reload, if they do, nobody holding them.
    """

    row: str
    part: Part
    report: Report
    hold: Mapping[str, str] = field(default_factory=dict)
    held: Sequence[Sees] = ()
    fresh: Sequence[Sees] = ()
    says_so: bool = True
    over: Sequence[str] = ()
    saved: Sequence[str] = ()
    same_second: bool = False
    body_s: float = 10.0
    outlives: str = ""

    @property
    def sights(self) -> list[Sees]:
        return [*self.held, *self.fresh]


@dataclass(frozen=True)
class Found:
    """One case as it lies on disk.

    Attributes:
        name: Its folder's.
        case: What it expects.
        about: The docstring of ``expected.py``.
        before, after: File of the game -> its text.
    """

    name: str
    case: Any
    about: str
    before: Mapping[str, str]
    after: Mapping[str, str]


def names() -> list[str]:
    """All cases, in the order of the alphabet."""
    return sorted(path.parent.name for path in FOLDER.glob("*/expected.py"))


def find(name: str) -> Found:
    """The case in one folder."""
    expected = importlib.import_module(f"tests.reload_cases.{name}.expected")
    folder = FOLDER / name
    about = " ".join((expected.__doc__ or "").split())
    return Found(name, expected.CASE, about, files(folder / "before.py"), files(folder / "after.py"))


def files(path: Path) -> dict[str, str]:
    """File of the game -> its text, as laid out in one text."""
    head, *parts = _FILE.split(path.read_text())
    assert parts, f"{path} has no line `# file: NAME.py`"
    assert not head.strip(), f"{path}: text stands above the first `# file:` line"
    return {"__init__.py": "", **dict(zip(parts[::2], parts[1::2], strict=True))}
