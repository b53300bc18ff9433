"""Public helpers for tests of games: a room, players, and time that jumps.

With Perdure installed, pytest knows the fixture `perdure`:

    def test_a_mug_runs_dry(perdure):
        room = perdure.room(Tavern)
        ada = room.join("Ada")
        ada.types("order", "drink")
        assert ada.sees("4 sips left.")

`room.advance(600)` lets ten minutes pass, `room.restart()` and `room.crash()` prove that the state survives,
`room.answer(…)` answers what was asked outside. For annotations: `from perdure.testing import Perdure`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perdure.testing.harness import Perdure, Player, RoomInTest

__all__ = ["Perdure", "Player", "RoomInTest"]


def __getattr__(name: str) -> Any:
    """Import the harness when it is first used: the pytest plugin below is loaded in every test run."""
    if name not in __all__:
        raise AttributeError(f"module 'perdure.testing' has no attribute {name!r}")
    from perdure.testing import harness

    return getattr(harness, name)
