"""Which handlers keep failing, as one host tells another that has the same code."""

from hypothesis import given
from hypothesis import strategies as st

from perdure.games.python.health import FAULTS_MAX, WINDOW_US, Health

FAULTS = st.lists(st.tuples(st.sampled_from(["a.x", "a.y", "b.x"]), st.integers(0, 2 * WINDOW_US)), max_size=20)


def of(faults: list[tuple[str, int]]) -> Health:
    """What is known after these."""
    health = Health()
    for handler, at_us in sorted(faults, key=lambda fault: fault[1]):
        health.book(handler, at_us)
    return health


@given(FAULTS)
def test_a_host_that_knew_nothing_goes_on_as_the_other_one(faults: list[tuple[str, int]]) -> None:
    """However many rooms come from there, each of which says it again."""
    old, new = of(faults), Health()
    for _ in range(3):
        new.learn(old.known())
    assert (new.faults, set(new.disabled)) == (old.faults, set(old.disabled))
    at_us = 2 * WINDOW_US + 1
    for handler in ("a.x", "a.y", "b.x"):
        assert new.book(handler, at_us) == old.book(handler, at_us)


@given(FAULTS, FAULTS)
def test_what_either_host_has_disabled_stays_so(ours: list[tuple[str, int]], theirs: list[tuple[str, int]]) -> None:
    """And nothing is disabled by hearing of it: that takes a fault."""
    one, other = of(ours), of(theirs)
    either = {*one.disabled, *other.disabled}
    one.learn(other.known())
    assert set(one.disabled) == either
    assert len(one.disabled) == len(either)


def test_faults_of_two_hosts_are_counted_together() -> None:
    """The third within the window disables, wherever the first two were."""
    one, other = of([("a.x", 1)] * (FAULTS_MAX - 2)), of([("a.x", 2)])
    one.learn(other.known())
    assert one.disabled == []
    assert one.book("a.x", 3)
    assert one.disabled == ["a.x"]
