"""The other tools, driven as their users drive them. Runs in an environment that has them, and nothing of Perdure's.

All of them get the best of it: the modules whose files changed are reloaded in the order in which they were first
imported, dependencies first, without waiting for a watcher.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
from pathlib import Path
from types import ModuleType

from tests.reload_cases.case import GAME
from tests.reload_cases.playing import module_names


class Importing:
    """The ordinary import system, as all of these tools use it."""

    def begin(self, folder: Path) -> None:
        self.folder = folder
        self.order: list[str] = []
        sys.path.insert(0, str(folder.parent))
        self.prepare()
        for name in self._on_disk():
            importlib.import_module(_full(name))
        self.order = [name for name in sys.modules if f"{name}.".startswith(f"{GAME}.")]

    def prepare(self) -> None:
        """Before the game is imported for the first time."""

    def modules(self) -> dict[str, ModuleType]:
        importlib.invalidate_caches()
        found = {}
        for name in {*self._on_disk(), *(full[len(GAME) + 1 :] for full in self.order)}:
            try:
                found[name] = importlib.import_module(_full(name))
            except Exception:  # noqa: BLE001  (whatever a game's body raises: the look-up fails)
                continue
        return found

    def reload(self, changed: list[str]) -> list[str]:
        importlib.invalidate_caches()
        names = {_full(name) for name in module_names(changed)}
        told: list[str] = []
        for name in [name for name in self.order if name in names]:
            self.refresh(sys.modules[name], told)
        return told

    def refresh(self, module: ModuleType, told: list[str]) -> None:
        """Reload one module; what goes wrong is told."""
        raise NotImplementedError

    def _on_disk(self) -> list[str]:
        return module_names(path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*.py"))


class Importlib(Importing):
    """``importlib.reload`` of each changed module, an error printed and the next one tried."""

    def refresh(self, module: ModuleType, told: list[str]) -> None:
        try:
            importlib.reload(module)
        except Exception as error:  # noqa: BLE001  (whatever a game's body raises is told)
            told.append(repr(error))


class Autoreload(Importing):
    """``%autoreload 2`` in a shell of IPython without a notebook: what it reloads, it reloads before the next cell."""

    def prepare(self) -> None:
        os.environ["IPYTHONDIR"] = str(self.folder.parent / "ipython")
        from IPython.core.history import HistoryManager  # type: ignore[import-not-found]
        from IPython.core.interactiveshell import InteractiveShell  # type: ignore[import-not-found]

        HistoryManager.enabled = False
        self.shell = InteractiveShell.instance()
        self.shell.run_line_magic("load_ext", "autoreload")
        self.shell.run_line_magic("autoreload", "2")

    def begin(self, folder: Path) -> None:
        super().begin(folder)
        for _ in range(2):
            self.shell.run_cell("pass")

    def reload(self, changed: list[str]) -> list[str]:  # noqa: ARG002  (it looks at the files itself)
        importlib.invalidate_caches()
        told: list[str] = []
        logging.getLogger("autoreload").addHandler(_Ear(told))
        self.shell.run_cell("pass")
        return told


class Jurigged(Importing):
    """``jurigged.watch``, whose watcher is told of each changed file at once."""

    def prepare(self) -> None:
        import jurigged  # type: ignore[import-not-found]

        self.told: list[str] = []
        inside = str(self.folder.parent)
        self.watcher = jurigged.watch(
            lambda path: path.startswith(inside), logger=self._listen, autostart=False, debounce=0
        )

    def _listen(self, event: object) -> None:
        if isinstance(event, Exception):
            self.told.append(repr(event))

    def refresh(self, module: ModuleType, told: list[str]) -> None:
        self.told = told
        self.watcher.refresh(module.__file__)


class _Ear(logging.Handler):
    def __init__(self, told: list[str]) -> None:
        super().__init__()
        self._told = told

    def emit(self, record: logging.LogRecord) -> None:
        self._told.append(record.getMessage())


TOOLS = {"importlib": Importlib, "autoreload": Autoreload, "jurigged": Jurigged}


def _full(name: str) -> str:
    return f"{GAME}.{name}" if name else GAME
