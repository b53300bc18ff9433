"""The pytest plugin that gives game authors the `perdure` fixture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from perdure.testing.harness import Perdure


@pytest.fixture
def perdure() -> Perdure:
    """Rooms, players and a clock for one test of a game; see `perdure.testing`."""
    # Imported here, so that other projects' test runs in this environment do not pay for it.
    from perdure.testing.harness import Perdure

    return Perdure()
