"""Hosts that run real Python games from files, and reload them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from perdure.host.library import Library
from perdure.host.reloads import Reloads
from perdure.live.compiling import compile_here
from perdure.movement.order import ReloadOrder
from perdure.movement.report import ReloadReport, Trigger
from perdure.store.blobs import FileBlobs
from perdure.store.owners import SqliteOwners
from tests.host.hosting import Gateway, Life, World

ITEMS = """
from perdure import Row
class Lamp(Row):
    oil: int = 3
def price():
    return 5
"""
SHOP = """
from perdure import Module, Table, command
from .items import Lamp, price
class Shop(Module):
    lamps: Table[Lamp]
    @command("buy")
    def buy(self, player):
        self.lamps[player.id] = Lamp()
        player.tell(f"A lamp for {price()}.")
    @command("burn")
    def burn(self, player):
        lamp = self.lamps[player.id]
        lamp.oil -= 1
        player.tell(f"{lamp.oil} left.")
"""
GAME = """
from perdure import Game
class Village(Game):
    pass
"""
VILLAGE = {"__init__.py": "", "game.py": GAME, "items.py": ITEMS, "shop.py": SHOP}


class CodeWorld(World):
    """A world whose only game, `village`, lies in files.

    Attributes:
        path: Its folder.
        library: The newest life's.
        told: Events of libraries.
    """

    library: Library

    def __init__(self, folder: Path, rooms: tuple[str, ...] = ("hall",), **settings: Any) -> None:
        self.path = folder / "code" / "village"
        self.path.mkdir(parents=True)
        super().__init__(folder, dict.fromkeys(rooms, "village"), **settings)
        self.told: list[dict[str, Any]] = []
        self.write(**{name.removesuffix(".py"): text for name, text in VILLAGE.items()})

    def write(self, **modules: str | None) -> None:
        """Write modules, or remove them."""
        for name, text in modules.items():
            file = self.path / f"{name}.py"
            file.unlink(missing_ok=True) if text is None else file.write_text(text)

    def programs(self) -> Library:
        """The game's code as a host that starts now finds it."""
        self._owners = SqliteOwners(self.folder / "owners.db")
        self.library = Library({"village": self.path}, FileBlobs(self.folder / "blobs"), self._owners, self.told.append)
        return self.library

    def life(self, **options: Any) -> CodeLife:
        self.lives += 1
        return CodeLife(self, f"host-{self.lives}", **options)


class CodeLife(Life):
    """A host that reloads its game."""

    def __init__(self, world: CodeWorld, name: str, **options: Any) -> None:
        super().__init__(world, name, **options)
        self.library = world.library
        self.reloads = Reloads(
            self.host, self.library, self.loop, compile_here,
            clock=self.clock, fault=self.faults, notify=self.events.append,
        )  # fmt: skip

    def reload(self, trigger: Trigger = "command", **order: Any) -> ReloadReport:
        """Reload, and wait for the report."""
        task = self.begin_reload(trigger, **order)
        self.until(task.done)
        return task.result()

    def begin_reload(self, trigger: Trigger = "command", **order: Any) -> asyncio.Task[ReloadReport]:
        return self.loop.create_task(self.reloads.reload(ReloadOrder("village", **order), trigger))


def lived(world: CodeWorld, **options: Any) -> tuple[CodeLife, Gateway]:
    """A life with Ann in the hall."""
    life, gateway = world.life(**options), Gateway()
    gateway.connect(life)
    gateway.join()
    life.until(lambda: not gateway.unacknowledged)
    return life, gateway
