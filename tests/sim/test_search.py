"""The protocol's promises, over every execution of small worlds around the real ends of the link and the real room."""

import os
import random
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sim.scenarios import ENDLESS, LARGE, SMALL
from tests.sim.search import search, walk

WALKS = 20


@pytest.mark.parametrize("name", SMALL)
def test_no_execution_of_a_small_world_breaks_a_promise(name: str) -> None:
    """I1 to I6 hold in every reachable state, and every end has shown and drained everything (FM-93, FM-94, FM-95)."""
    found = search(SMALL[name])
    assert found.complete, found.violation
    assert found.ends > 0


@pytest.mark.parametrize("name", ENDLESS)
def test_random_executions_of_a_large_world_keep_the_promises(name: str) -> None:
    """The same promises with everything at once, along executions that a seed reproduces."""
    for seed in range(WALKS):
        found = walk(ENDLESS[name], random.Random(seed))
        assert not found.violation, f"seed {seed}: {found.violation}"


@pytest.mark.parametrize("name", ENDLESS)
@settings(max_examples=WALKS, deadline=None, suppress_health_check=list(HealthCheck))
@given(chance=st.randoms(use_true_random=False))
def test_no_execution_that_hypothesis_chooses_breaks_a_promise(name: str, chance: random.Random) -> None:
    """The same again with choices that shrink: a violation found here is reported with a short execution."""
    found = walk(ENDLESS[name], chance)
    assert not found.violation, found.violation


@pytest.mark.soak
def test_no_execution_of_a_larger_world_breaks_a_promise() -> None:
    """As many of the larger searches as fit into PERDURE_SOAK_SECONDS, then random executions for the rest of it."""
    end = time.monotonic() + float(os.environ.get("PERDURE_SOAK_SECONDS", "60"))
    seed = int(os.environ.get("PERDURE_SEED", "1")) * 1_000_000
    for name, scenario in LARGE.items():
        if time.monotonic() > end:
            break
        found = search(scenario, states_max=1_000_000)
        assert not found.violation, f"{name}: {found.violation}"
    while time.monotonic() < end:
        seed += 1
        for name, scenario in ENDLESS.items():
            found = walk(scenario, random.Random(seed))
            assert not found.violation, f"{name}, seed {seed}: {found.violation}"
