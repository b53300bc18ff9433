"""Who somebody is that connects through a proxy: the PROXY protocol's header, and X-Forwarded-For. Pure.

A header counts only if it comes from an address that the configuration trusts: everybody can write one. The
formats are those of HAProxy's "The PROXY protocol, versions 1 & 2", section 2; where one proxy connects to the next by
another family than its client to it, nginx 1.22 names the client's family and an address of each.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable
from typing import NamedTuple

from perdure.errors import ProtocolError

V1_BYTES_MAX = 107
"""The longest line that version 1 can need, with its CR and LF."""
V2_BYTES_MAX = 4096
"""A limit of our own: a header of version 2 may carry certificates, which nobody reads here."""
_V1_BEGIN = b"PROXY "
_V2_BEGIN = b"\r\n\r\n\x00\r\nQUIT\n"
_V2_FIXED = struct.Struct("!12sBBH")
_LOCAL, _PROXIED = 0x20, 0x21
_V2_ADDRESS_BYTES = {1: 4, 2: 16}
"""By the address family that the header names: IPv4 and IPv6."""

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class Header(NamedTuple):
    """A PROXY header.

    Attributes:
        size_bytes: Its length; what follows is the client's.
        address: The client's; "" when the proxy speaks for itself, or does not know.
    """

    size_bytes: int
    address: str


def header(data: bytes) -> Header | None:
    """The PROXY header with which `data`, all that came so far, begins; None while every byte of it is header.

    Raises:
        ProtocolError: It does not begin with one.
    """
    if data.startswith(_V2_BEGIN):
        return _version_2(data)
    if data.startswith(_V1_BEGIN):
        return _version_1(data)
    if _V1_BEGIN.startswith(data) or _V2_BEGIN.startswith(data):
        return None
    raise ProtocolError(f"no PROXY header, but {data[:20]!r}")


def _version_1(data: bytes) -> Header | None:
    line, end, _ = data[:V1_BYTES_MAX].partition(b"\r\n")
    if not end:
        if len(data) < V1_BYTES_MAX:
            return None
        raise ProtocolError(f"a PROXY line without an end within {V1_BYTES_MAX} bytes")
    size_bytes = len(line) + len(end)
    match line.split(b" "):
        case [_, b"UNKNOWN", *_]:
            return Header(size_bytes, "")
        case [_, (b"TCP4" | b"TCP6") as family, source, target, *ports] if len(ports) == 2:
            client, _ = (_address(text.decode("latin-1")) for text in (source, target))
            if client.version == int(family[3:]) and all(map(_is_port, ports)):
                return Header(size_bytes, source.decode("latin-1"))
    raise ProtocolError(f"not a PROXY line: {line!r}")


def _version_2(data: bytes) -> Header | None:
    if len(data) < _V2_FIXED.size:
        return None
    _, command, family, rest_bytes = _V2_FIXED.unpack_from(data)
    size_bytes = _V2_FIXED.size + rest_bytes
    if command not in (_LOCAL, _PROXIED) or size_bytes > V2_BYTES_MAX:
        raise ProtocolError(f"not a PROXY header of version 2: {data[: _V2_FIXED.size]!r}")
    address_bytes = _V2_ADDRESS_BYTES.get(family >> 4, 0)
    if command == _PROXIED and rest_bytes < 2 * address_bytes + (4 if address_bytes else 0):
        raise ProtocolError(f"a PROXY header too short for its addresses: {data[: _V2_FIXED.size]!r}")
    if len(data) < size_bytes:
        return None
    if command == _LOCAL or not address_bytes:
        return Header(size_bytes, "")
    packed = data[_V2_FIXED.size : _V2_FIXED.size + address_bytes]
    return Header(size_bytes, str(ipaddress.ip_address(packed)))


class Proxies:
    """The addresses of which it is believed whom they speak for.

    Args:
        networks: Addresses and networks, as the configuration has them.
    """

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks = [ipaddress.ip_network(network) for network in networks]

    def trusts(self, host: str) -> bool:
        """Whether the address, as a socket says it, is such a proxy's."""
        address = _plain(ipaddress.ip_address(host.partition("%")[0]))
        return any(address in network for network in self._networks)

    def client(self, forwarded: str) -> str:
        """The client that an X-Forwarded-For names: its rightmost address that is no proxy's, else its leftmost.

        Whatever stands further to the left was there before the request came to a proxy, and anybody may have
        written it.

        Raises:
            ProtocolError: There is no address where one is needed.
        """
        named = ""
        for text in reversed(forwarded.split(",")):
            named = str(_plain(_address(_without_port(text.strip()))))
            if not self.trusts(named):
                break
        return named


def _plain(address: IpAddress) -> IpAddress:
    """An IPv4 address that came in by an IPv6 socket is one."""
    return getattr(address, "ipv4_mapped", None) or address


def _address(text: str) -> IpAddress:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        raise ProtocolError(f"{text[:60]!r} is not an address") from None


def _without_port(text: str) -> str:
    """Some proxies write 192.0.2.7:49152 and [2001:db8::7]:49152."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _is_port(text: bytes) -> bool:
    return text.isdigit() and len(text) <= 5 and int(text) <= 65535
