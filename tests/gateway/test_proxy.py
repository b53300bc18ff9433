"""The PROXY protocol's headers, and whom to believe about others' addresses."""

import socket
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from perdure.errors import ProtocolError
from perdure.gateway.proxy import V1_BYTES_MAX, V2_BYTES_MAX, Header, Proxies, header

BEGIN = b"\r\n\r\n\x00\r\nQUIT\n"


def version_2(command: int, family: int, rest: bytes) -> bytes:
    return BEGIN + struct.pack("!BBH", command, family, len(rest)) + rest


IPV4 = socket.inet_aton("192.0.2.7") + socket.inet_aton("192.0.2.1") + struct.pack("!HH", 50000, 4000)
IPV6 = (
    socket.inet_pton(socket.AF_INET6, "2001:db8::7")
    + socket.inet_pton(socket.AF_INET6, "2001:db8::1")
    + struct.pack("!HH", 50000, 4000)
)
HEADERS = {
    b"PROXY TCP4 192.0.2.7 192.0.2.1 50000 4000\r\n": "192.0.2.7",
    b"PROXY TCP6 2001:db8::7 2001:db8::1 50000 4000\r\n": "2001:db8::7",
    b"PROXY TCP6 2001:db8::7 192.0.2.1 50000 4000\r\n": "2001:db8::7",  # nginx behind another proxy
    b"PROXY UNKNOWN\r\n": "",
    b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n": "",
    version_2(0x21, 0x11, IPV4): "192.0.2.7",
    version_2(0x21, 0x11, IPV4 + b"\x03\x00\x04abcd"): "192.0.2.7",  # what follows the addresses is passed over
    version_2(0x21, 0x21, IPV6): "2001:db8::7",
    version_2(0x20, 0x00, b""): "",  # LOCAL: the proxy looks whether the server is well
    version_2(0x20, 0x11, IPV4): "",
    version_2(0x21, 0x31, b"x" * 216): "",  # a unix socket has no address
    version_2(0x21, 0x00, b""): "",
}


@given(st.sampled_from(sorted(HEADERS)), st.binary(max_size=40), st.data())
def test_a_header_is_the_same_however_it_is_cut(data: bytes, rest: bytes, draw: st.DataObject) -> None:
    """Each part before the last is known to be header only, and what follows the header is not touched."""
    cut = draw.draw(st.integers(min_value=0, max_value=len(data) - 1))
    assert header(data[:cut]) is None
    assert header(data + rest) == Header(len(data), HEADERS[data])


@pytest.mark.parametrize(
    "data",
    [
        b"connect Ada\r\n",
        b"PROXX",
        b"\r\n\r\n\x00\r\nQUITE",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 50000\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 50000 4000 1\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 50000 65536\r\n",
        b"PROXY TCP4 192.0.2.7 192.0.2.1 -1 4000\r\n",
        b"PROXY TCP4 2001:db8::7 2001:db8::1 50000 4000\r\n",
        b"PROXY TCP4 192.0.2.7 nobody 50000 4000\r\n",
        b"PROXY TCP4 nobody 192.0.2.1 50000 4000\r\n",
        b"PROXY UDP4 192.0.2.7 192.0.2.1 50000 4000\r\n",
        b"PROXY \r\n",
        b"PROXY " + b"x" * (V1_BYTES_MAX - 6),
        version_2(0x11, 0x11, IPV4),
        version_2(0x22, 0x11, IPV4),
        version_2(0x21, 0x11, IPV4[:-1]),
        version_2(0x21, 0x21, IPV4),
        version_2(0x21, 0x11, IPV4 + b"x" * V2_BYTES_MAX),
    ],
)
def test_what_is_no_header_is_refused(data: bytes) -> None:
    """At once, without waiting for more."""
    with pytest.raises(ProtocolError):
        header(data)


@given(st.binary(max_size=200) | st.builds(lambda rest: b"PROXY TCP4 " + rest, st.binary(max_size=120)))
@example(b"PROXY TCP4 \xff 192.0.2.1 1 1\r\n")
def test_any_bytes_are_a_header_the_beginning_of_one_or_refused(data: bytes) -> None:
    """Nothing else happens, and the wait for a header is bounded (FM-81)."""
    try:
        found = header(data)
    except ProtocolError:
        return
    if found is None:
        assert len(data) < V2_BYTES_MAX
    else:
        assert found.size_bytes <= len(data)


@given(st.binary(max_size=60), st.integers(min_value=0, max_value=60))
def test_more_bytes_never_change_what_was_found(data: bytes, cut: int) -> None:
    """Nor what was refused."""
    try:
        found = header(data[:cut])
    except ProtocolError:
        with pytest.raises(ProtocolError):
            header(data)
        return
    if found is not None:
        assert header(data) == found


def test_proxies_are_addresses_and_networks_of_both_families() -> None:
    """An IPv4 proxy may come in by an IPv6 socket, a link-local one with its interface."""
    it = Proxies(["127.0.0.1", "10.0.0.0/8", "fe80::/64"])
    assert [host for host in ("127.0.0.1", "::ffff:10.1.2.3", "fe80::1%eth0") if not it.trusts(host)] == []
    assert [host for host in ("127.0.0.2", "192.0.2.7", "::1", "2001:db8::1") if it.trusts(host)] == []
    assert not Proxies().trusts("127.0.0.1")


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("203.0.113.9, 192.0.2.7", "192.0.2.7"),
        ("rubbish, 192.0.2.7, 10.0.0.1,10.0.0.2", "192.0.2.7"),
        ("192.0.2.7:50000", "192.0.2.7"),
        ("[2001:db8::7]:50000", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("10.0.0.3, 10.0.0.1", "10.0.0.3"),
    ],
)
def test_a_forwarded_client_is_the_rightmost_address_that_is_no_proxys(forwarded: str, client: str) -> None:
    """What stands further to the left may be the client's own invention."""
    assert Proxies(["10.0.0.0/8"]).client(forwarded) == client


@pytest.mark.parametrize("forwarded", ["", "unknown", "192.0.2.7, unknown", "192.0.2.7,", "192.0.2.7:x:y", "1" * 5000])
def test_a_forwarded_client_without_an_address_is_refused(forwarded: str) -> None:
    """It would be counted under nothing."""
    with pytest.raises(ProtocolError, match="is not an address"):
        Proxies(["10.0.0.0/8"]).client(forwarded)


@given(st.text(max_size=60))
def test_any_forwarded_text_is_an_address_or_refused(forwarded: str) -> None:
    """Whoever writes it."""
    it = Proxies(["10.0.0.0/8"])
    try:
        client = it.client(forwarded)
    except ProtocolError:
        return
    assert it.client(client) == client
