"""The example, ready to be played."""

from pathlib import Path

import pytest

from perdure.testing import Perdure, RoomInTest

MUD = Path(__file__).resolve().parents[2] / "examples" / "mud" / "mud"


@pytest.fixture
def world(perdure: Perdure) -> RoomInTest:
    """The town, with the arena beside it."""
    perdure.room(MUD, "arena")
    return perdure.room(MUD, "world")
