"""Under which address connections are counted."""

import pytest

from perdure.gateway.door import counted_address


@pytest.mark.parametrize(
    ("peer", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::1/64"),
    ],
)
def test_an_ipv6_user_is_a_whole_network(peer: str, counted: str) -> None:
    """Each of them has 2**64 addresses to connect from (FM-82)."""
    assert counted_address(peer) == counted
