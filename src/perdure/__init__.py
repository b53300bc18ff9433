"""Perdure: a host for live multiplayer servers whose players stay while everything behind them changes.

These are the names that games are written with. Each is imported when it is first used, so that processes
which run no game do not pay for them.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perdure.games.python.api import Answer, Game, Module, Player, Players, Room, Veto
    from perdure.games.python.data import data
    from perdure.games.python.marks import Event, command, every, migrate, on
    from perdure.games.python.text import bold, color, linked, unaccented
    from perdure.room.program import Refusal
    from perdure.room.tables import Row, Table

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Event",
    "Game",
    "Module",
    "Player",
    "Players",
    "Refusal",
    "Room",
    "Row",
    "Table",
    "Veto",
    "bold",
    "color",
    "command",
    "data",
    "every",
    "linked",
    "migrate",
    "on",
    "unaccented",
]

_HOMES = {
    "perdure.games.python.api": ("Answer", "Game", "Module", "Player", "Players", "Room", "Veto"),
    "perdure.games.python.data": ("data",),
    "perdure.games.python.marks": ("Event", "command", "every", "migrate", "on"),
    "perdure.games.python.text": ("bold", "color", "linked", "unaccented"),
    "perdure.room.program": ("Refusal",),
    "perdure.room.tables": ("Row", "Table"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import an author's name from where it lives."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'perdure' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_HOME_OF[name]), name)
    return value
