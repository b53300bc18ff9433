"""Throttling of failed logins, and of lines."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.gateway import throttle
from perdure.gateway.desk import CREATE_DELAY_S_MAX, CREATE_FORGET_S
from perdure.gateway.limits import Limits
from perdure.gateway.throttle import ARREARS_S_MAX, Failures, Rates, Throttle


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


def test_failures_can_be_taken_back() -> None:
    """Those that are left count on; none are left of an unknown key (FM-82)."""
    it = failing(9)
    it.forgive("k", 5)
    assert it.state["k"].count == 4
    it.forgive("other", 1)
    it.forgive("k", 9)
    assert it.state == {}


def test_a_quiet_quarter_of_an_hour_forgets() -> None:
    """The next failure is the first again."""
    it = failing(9)
    it.failed("k", throttle.FORGET_S + 1)
    assert it.state["k"].count == 1


def test_an_address_makes_some_dozens_of_accounts_in_a_day_however_patient_it_is() -> None:
    """Each is kept for ever. Ten at once, then at ever longer intervals up to an hour (FM-82)."""
    it = Throttle(10, delay_s_max=CREATE_DELAY_S_MAX, forget_s=CREATE_FORGET_S)
    now_s, made = 0.0, [0, 0, 0]
    while now_s < 3 * 86_400:
        if wait_s := it.wait_s("k", now_s):
            now_s += wait_s
        else:
            it.failed("k", now_s)
            made[int(now_s // 86_400)] += 1
    assert made[0] < 50
    assert max(made[1:]) <= 25
    it.failed("k", now_s + CREATE_FORGET_S + 1)
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


def test_a_key_that_is_not_limited_never_waits() -> None:
    """As this machine's own addresses, unless perdure.toml says otherwise."""
    it = Throttle(0, limited=lambda key: key != "own")
    for key in ("own", "other"):
        it.failed(key, 0.0)
    assert (it.wait_s("own", 0.0), it.wait_s("other", 0.0)) == (0, 2)


# --- lines ---


def taken(it: Rates, count: int, address: str = "192.0.2.7") -> list[float]:
    """When each of so many lines is taken that all come at 0 s."""
    now_s, times = 0.0, []
    for _ in range(count):
        while (wait_s := it.wait_s(address, now_s)) > 0:
            now_s += wait_s
        times.append(round(now_s, 3))
    return times


def test_a_burst_of_lines_is_free_and_then_each_waits_its_turn() -> None:
    """None is dropped: what waits is taken at the steady rate (FM-82)."""
    assert taken(Rates(Limits(lines_per_s=2, lines_burst=3)), 6) == [0, 0, 0, 0.5, 1, 1.5]


def test_a_silence_gives_the_burst_back_and_no_more() -> None:
    """However long it was."""
    it = Rates(Limits(lines_per_s=2, lines_burst=3))
    assert taken(it, 3) == [0, 0, 0]
    assert [it.wait_s("192.0.2.7", 0.5) for _ in range(2)] == [0, 0.5]
    assert [it.wait_s("192.0.2.7", 1e6) for _ in range(4)] == [0, 0, 0, 0.5]


def test_addresses_do_not_share_their_lines() -> None:
    """One who floods holds up nobody else (FM-82)."""
    it = Rates(Limits(lines_per_s=2, lines_burst=3))
    assert taken(it, 6, "192.0.2.7")[-1] == 1.5
    assert taken(it, 3, "192.0.2.8") == [0, 0, 0]


def test_this_machines_own_addresses_never_wait_unless_that_is_asked_for() -> None:
    """Bots and proxies connect from there."""
    assert taken(Rates(Limits(lines_per_s=1, lines_burst=1)), 100, "127.0.0.1") == [0] * 100
    assert taken(Rates(Limits(lines_per_s=1, lines_burst=1, loopback=True)), 3, "127.0.0.1") == [0, 1, 2]


def test_the_addresses_that_were_silent_longest_are_forgotten() -> None:
    """The book is bounded."""
    it = Rates(Limits(lines_per_s=1, lines_burst=2))
    for number in range(throttle.KEYS_MAX + 5):
        it.wait_s(str(number), 0.0)
        it.wait_s("busy", 0.0)
    assert it.wait_s("busy", 0.0) > 0
    assert len(it.state) == throttle.KEYS_MAX


# --- networks ---


def test_a_network_types_sixteen_times_as_much_as_an_address() -> None:
    """Else a /48 were 65,536 who type; whoever comes from another one is not held up by it (FM-82)."""
    it = Rates(Limits(lines_per_s=2, lines_burst=3))
    addresses = [f"2001:db8:1:{number:x}::/64" for number in range(50)]
    assert [it.wait_s(address, 0.0) for address in addresses[:48]] == [0] * 48
    assert [round(it.wait_s(address, 0.0), 6) for address in addresses[48:]] == [round(0.5 / 16, 6)] * 2
    assert it.wait_s(addresses[48], 0.5 / 16) == 0
    assert it.wait_s("2001:db8:2::/64", 0.0) == 0
    assert it.spent("2001:db8:3::/64", 6, 0.0) == 1.5


def test_a_network_fails_sixteen_times_as_often_as_an_address() -> None:
    """And what is taken back of an address is taken back of its network (FM-82)."""
    it = Throttle(2, addresses=True)
    addresses = [f"2001:db8:1:{number:x}::/64" for number in range(33)]
    for address in addresses[:32]:
        assert it.wait_s(address, 0.0) == 0
        it.failed(address, 0.0)
    assert it.wait_s(addresses[32], 0.0) == 1
    assert it.wait_s("2001:db8:2::/64", 0.0) == it.wait_s("192.0.2.7", 0.0) == 0
    it.forgive(addresses[5], 1)
    assert it.wait_s(addresses[32], 0.0) == 0


# --- asides ---


def test_asides_are_booked_when_they_were_taken_and_have_to_be_waited_for_then() -> None:
    """A hundred for each line; whoever waits as long as they are told to is within their burst again (FM-82)."""
    it = Rates(Limits(lines_per_s=2, lines_burst=3), per_line=100)
    assert it.spent("192.0.2.7", 300, 0.0) == 0
    assert it.spent("192.0.2.7", 50, 0.0) == pytest.approx(0.25)
    assert it.spent("192.0.2.7", 100, 0.25) == pytest.approx(0.5)
    assert it.spent("192.0.2.8", 1, 0.25) == 0
    assert it.spent("192.0.2.7", 1, 1e6) == 0


def test_nobody_waits_long_for_what_others_of_their_address_sent() -> None:
    """However much of it was taken at once (FM-82)."""
    it = Rates(Limits(), per_line=100)
    assert [it.spent("2001:db8:1:2::/64", 4096, 0.0) for _ in range(64)][-1] == ARREARS_S_MAX
    assert it.spent("2001:db8:1:2::/64", 1, 0.0) == ARREARS_S_MAX
    assert it.spent("2001:db8:1:3::/64", 1, 0.0) <= ARREARS_S_MAX
    assert it.spent("2001:db8:1:2::/64", 1, ARREARS_S_MAX + 0.001) == 0


def test_an_honest_client_never_waits_for_its_asides() -> None:
    """Sixty sizes a second while a window is dragged for a minute, behind the thirty options of a start (FM-82)."""
    it = Rates(Limits(), per_line=100)
    assert it.spent("192.0.2.7", 60, 0.0) == 0
    assert [it.spent("192.0.2.7", 2, frame / 60) for frame in range(3600)] == [0] * 3600


@given(
    st.floats(min_value=0.01, max_value=1000),
    st.integers(min_value=1, max_value=50),
    st.lists(st.floats(min_value=0, max_value=3), max_size=200),
)
def test_no_more_lines_are_taken_than_the_burst_and_the_rate(per_s: float, burst: int, pauses_s: list[float]) -> None:
    """And whoever waits as long as they were told to is taken then."""
    it, now_s = Rates(Limits(lines_per_s=per_s, lines_burst=burst)), 1000.0
    for count, pause_s in enumerate(pauses_s, start=1):
        now_s += pause_s
        wait_s = it.wait_s("a", now_s)
        if wait_s > 0:
            now_s += wait_s
            assert it.wait_s("a", now_s) == 0
        assert count <= burst + (now_s - 1000.0) * per_s + 0.5
