"""Playing a case with one tool: the game before the edit, what is held, the edit, the reload, what is seen then.

Needs no library, like `tests.reload_cases.case`.
"""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from tests.reload_cases.case import GAME, Case, Found, Raised, Sees, _Unasked

EDIT_S = 10.0
"""How far apart two edits are in time, as far as the files say."""
WAIT_S = 20.0


class Tool(Protocol):
    """Something that reloads a game."""

    def begin(self, folder: Path) -> None:
        """Load the game for the first time."""

    def modules(self) -> Mapping[str, ModuleType]:
        """Name in the game -> module, as a look-up finds it now; "" is the game's package."""

    def reload(self, changed: list[str]) -> list[str]:
        """Bring the files of the game into effect. Returns what it has to say about errors."""


@dataclass
class Played:
    """What came of it.

    Attributes:
        before, after: Expression -> repr of its value.
        told: What the tool said about errors.
    """

    before: dict[str, str]
    after: dict[str, str]
    told: list[str]


class Threads:
    """What expressions may call: ``begin(function, …)`` runs it in a thread; the result has ``answer()``."""

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self._result: list[Any] = []
        self._thread = threading.Thread(target=self._run, args=(function, arguments), daemon=True)
        self._thread.start()

    def _run(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        try:
            self._result.append(function(*arguments))
        except Exception as error:  # noqa: BLE001  (whatever a game raises is what is seen)
            self._result.append(Raised(type(error).__name__))

    def answer(self) -> Any:
        """What the function returned; waits for it."""
        self._thread.join(WAIT_S)
        return self._result[0] if self._result else Raised("no answer")


def write(root: Path, game: Mapping[str, str], *, time_s: float) -> list[str]:
    """Make the folder the game that is given. Returns the files that are not what they were."""
    folder = root / GAME
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*.py")} if folder.exists() else set()
    changed = []
    for name, text in game.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name not in there or path.read_text() != text:
            path.write_text(text)
            os.utime(path, (time_s, time_s))
            changed.append(name)
    for name in there - game.keys():
        (folder / name).unlink()
    return changed + sorted(there - game.keys())


def edits(found: Found) -> Iterator[Mapping[str, str]]:
    """The game after each edit."""
    game = dict(found.before)
    for name in found.case.saved[:-1]:
        game[name] = found.after[name]
        yield game
    yield found.after


def module_names(game: Iterable[str]) -> list[str]:
    """The modules that these files are, packages before what is in them."""
    dotted = (name.removesuffix(".py").removesuffix("__init__").strip("/").replace("/", ".") for name in game)
    return sorted(dotted)


def play(found: Found, root: Path, tool: Tool) -> Played:
    """Play the case; what is held is let go of at its end."""
    case: Case = found.case
    now_s = 1_700_000_000.0
    write(root, found.before, time_s=now_s)
    tool.begin(root / GAME)
    held: dict[str, Any] = {}
    try:
        for name, expression in case.hold.items():
            held[name] = eval(expression, {**_names(tool), **held})
        before = {sees.expression: seen(sees, tool, held) for sees in case.sights if asked_before(sees)}
        told = []
        for step, game in enumerate(edits(found), 1):
            changed = write(root, game, time_s=now_s if case.same_second else now_s + step * EDIT_S)
            told += tool.reload(changed)
        gc.collect()
        after = {sees.expression: seen(sees, tool, held) for sees in case.sights}
    finally:
        for expression in case.over:
            eval(expression, {**_names(tool), **held})
    return Played(before, after, told)


def asked_before(sees: Sees) -> bool:
    return not isinstance(sees.before, _Unasked)


def seen(sees: Sees, tool: Tool, held: dict[str, Any]) -> str:
    """The repr of what an expression gives now."""
    try:
        return repr(eval(sees.expression, {**_names(tool), **held}))
    except Exception as error:  # noqa: BLE001  (whatever a game raises is what is seen)
        return repr(Raised(type(error).__name__))


def _names(tool: Tool) -> dict[str, Any]:
    found = tool.modules()
    top = {name: module for name, module in found.items() if name and "." not in name}
    begin = lambda function, *arguments: Threads(function, arguments)  # noqa: E731
    return {**top, GAME: found.get(""), "modules": sorted(found), "module": found.__getitem__, "begin": begin}


# -- what to call it -----------------------------------------------------------------------------------


def verdict(case: Case, played: Played) -> str:
    """One word for what a tool did; docs/reference/reload-semantics.md says what each means."""
    wrong = [sees for sees in case.sights if played.after[sees.expression] != repr(sees.after)]
    if not wrong:
        return "works, says nothing" if case.report.failed and not played.told else "works"
    if any(_raised(sees, played) for sees in wrong):
        return "error"
    neither = [sees for sees in wrong if sees.stays or played.after[sees.expression] != repr(sees.before)]
    if neither:
        return neither[0].wrong
    changing = [sees for sees in case.sights if not sees.stays and asked_before(sees)]
    if wrong == changing and any(sees in wrong for sees in case.fresh):
        return "not applied"
    if wrong == [sees for sees in case.held if not sees.stays]:
        return "old kept"
    return "half-applied"


def _raised(sees: Sees, played: Played) -> bool:
    return played.after[sees.expression].startswith("Raised(") and not isinstance(sees.before, Raised)
