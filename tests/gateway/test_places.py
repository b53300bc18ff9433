"""How many of something an address and its network may have."""

from hypothesis import given
from hypothesis import strategies as st

from perdure.gateway.limits import Limits, network
from perdure.gateway.places import Full, Places


def site(number: int, of: int = 1) -> str:
    """The address with this number in a /48."""
    return f"2001:db8:{of:x}:{number:x}::/64"


def test_the_network_of_an_address_is_its_48_and_ipv4_has_none() -> None:
    """As addresses are counted."""
    assert network("2001:db8:1:2::/64") == "2001:db8:1::/48"
    assert network("2001:db8:1:ffff::/64") == "2001:db8:1::/48"
    assert network("192.0.2.7") == ""
    assert network("::1/64") == "::/48"


def test_a_network_has_sixteen_times_as_much_as_an_address() -> None:
    """Whoever has a /48 has 65,536 addresses, and would have all the server (FM-82)."""
    it = Places(Limits(), 4)
    for number in range(16):
        for _ in range(4):
            assert it.full(site(number)) is None
            it.take(site(number))
        assert it.full(site(number)) == Full(4, "address")
    assert it.full(site(99)) == Full(64, "network")
    assert it.full(site(99, of=2)) is None
    it.leave(site(3))
    assert it.full(site(99)) is None
    assert len(it) == 63


def test_a_network_has_never_more_than_a_quarter_of_all_unless_an_address_has() -> None:
    """On a machine that allows few descriptors, sixteen times may be all there are (FM-82)."""
    for clients_max, most in ((40, 10), (4, 3)):
        it = Places(Limits(clients_max=clients_max), 3)
        for number in range(most):
            it.take(site(number))
        assert it.full(site(999)) == Full(most, "network")


def test_ipv4_addresses_share_nothing_and_this_machines_own_are_not_limited() -> None:
    """As before."""
    it = Places(Limits(clients_max=4), 2)
    for last in range(9):
        it.take(f"192.0.2.{last}")
        it.take("127.0.0.1")
        it.take("::1/64")
    assert [it.full(address) for address in ("192.0.2.3", "127.0.0.1", "::1/64")] == [None] * 3


@given(st.lists(st.tuples(st.integers(min_value=0, max_value=3), st.integers(min_value=1, max_value=2))))
def test_whoever_leaves_gives_back_what_they_took(comers: list[tuple[int, int]]) -> None:
    """In any order; nothing is kept of who is gone."""
    it = Places(Limits(), 2)
    for number, of in comers:
        it.take(site(number, of))
    for number, of in sorted(comers):
        it.leave(site(number, of))
    assert len(it) == 0
    assert not it._taken


def test_whoever_finds_no_place_is_told_how_many_there_are() -> None:
    """One is not several, in all of the sentence."""
    then = "Try again when {} has left."
    one, two = Full(1, "address").text("player", then), Full(2, "network").text("player", then)
    assert one == "There is 1 player from your address already. Try again when that one has left."
    assert two == "There are 2 players from your network already. Try again when one of them has left."
