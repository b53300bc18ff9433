"""Throttling of failed logins."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from perdure.gateway import throttle
from perdure.gateway.throttle import Failures, Throttle


def failing(times: int, free: int = 3) -> Throttle:
    """A throttle whose key "k" failed at 0 s that many times."""
    it = Throttle(free)
    for _ in range(times):
        it.failed("k", 0.0)
    return it


def test_the_first_failures_are_free_and_then_the_wait_grows_to_its_bound() -> None:
    """Three free tries, then 1, 2, 4 … up to 60 s (FM-82)."""
    assert [failing(n).wait_s("k", 0.0) for n in range(11)] == [0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60]


def test_the_wait_runs_out() -> None:
    """Nobody is locked out for good."""
    assert failing(5).wait_s("k", 1.5) == 2.5
    assert failing(5).wait_s("k", 4.0) == 0


def test_a_success_forgets_and_other_keys_are_free() -> None:
    """Only failed logins are throttled (FM-82)."""
    it = failing(9)
    assert it.wait_s("other", 0.0) == 0
    it.succeeded("k")
    assert it.wait_s("k", 0.0) == 0


def test_a_quiet_quarter_of_an_hour_forgets() -> None:
    """The next failure is the first again."""
    it = failing(9)
    it.failed("k", throttle.FORGET_S + 1)
    assert it.state["k"].count == 1


def test_many_keys_push_out_the_ones_that_failed_longest_ago() -> None:
    """The book is bounded, and an attacker's newest failures stay in it."""
    it = Throttle(3)
    for number in range(throttle.KEYS_MAX + 5):
        it.failed(str(number), 0.0)
        it.failed("attacker", 0.0)
    assert len(it.state) == throttle.KEYS_MAX
    assert it.wait_s("attacker", 0.0) == throttle.DELAY_S_MAX


@given(st.integers(min_value=0, max_value=10_000), st.floats(min_value=0, max_value=1e6))
def test_the_book_can_be_carried_over(count: int, last_s: float) -> None:
    """Throttling can survive a movement (FM-82)."""
    it = Throttle(3, {"k": Failures(count, last_s)})
    carried = msgspec.json.decode(msgspec.json.encode(it.state), type=dict[str, Failures])
    assert Throttle(3, carried).wait_s("k", last_s) == it.wait_s("k", last_s) <= throttle.DELAY_S_MAX
