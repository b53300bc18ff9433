"""Delays between restarts."""

from perdure.supervisor.backoff import DELAY_S_MAX, Backoff


def test_the_first_restart_is_immediate_and_the_others_double_up_to_a_bound() -> None:
    """None, 0.1 s, 0.2 s, … 10 s for ever (FM-57)."""
    backoff = Backoff()
    delays = [backoff.next_delay_s() for _ in range(12)]
    assert delays[:5] == [0.0, 0.1, 0.2, 0.4, 0.8]
    assert delays[-3:] == [DELAY_S_MAX] * 3
    for _ in range(5000):
        assert backoff.next_delay_s() == DELAY_S_MAX


def test_a_process_that_did_its_work_starts_over() -> None:
    """After a reset the next death is a first one."""
    backoff = Backoff()
    for _ in range(5):
        backoff.next_delay_s()
    backoff.reset()
    assert (backoff.attempts, backoff.next_delay_s()) == (0, 0.0)
