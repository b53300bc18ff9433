"""One room's move: what goes with it. (The race for its owner row is searched in tests/sim.)"""

import pytest

from perdure.movement.move import Offer
from perdure.ports import Owner
from perdure.room.acknowledged import Acknowledged
from perdure.room.program import Faulted


@pytest.mark.parametrize(("program", "known"), [("9f2c", True), ("b01d", False), ("", False)])
def test_handlers_that_failed_are_known_to_the_same_program_only(program: str, known: bool) -> None:
    """Another one may have been installed because they failed: there they begin well."""
    faulted = {"town.pray": Faulted(3, [1, 2, 3], True)}
    offer = Offer(
        "hall", Owner(1, "host-1", 0, 0), 5, 0, "value", Acknowledged({}, {}), program="9f2c", faulted=faulted
    )
    assert offer.faulted_in(program) == (faulted if known else {})
