"""How long and how many: what a gateway grants to a connection, and to an address.

An address is an IPv4 address or an IPv6 /64. Whoever has a /64 may well have a whole /48, which is 65,536 of them: so
all addresses of a /48 together have limits as well, `NETWORK_SHARE` times those of one.
"""

from __future__ import annotations

import functools
import ipaddress

import msgspec

from perdure.config import Config

CLIENTS_MAX = 16_384
NETWORK_SHARE = 16
"""A /48 is what one site is given (RFC 6177), but a mobile network puts thousands of its customers into one."""


class Limits(msgspec.Struct, frozen=True):
    """The defaults are for servers, tests make them small.

    Attributes:
        proxy_s: From a proxy's connecting to the end of its PROXY header.
        request_s: Of the web, from connecting to the end of the request, and to the hello (slowloris).
        first_line_s: From the greeting to the first line: some listen to it, and some type slowly.
        login_s: From the greeting to the end of the login dialogue.
        goodbye_s: How long a leaving player's room may take to say its last words.
        clients_max: Connections in all.
        per_address_max: Connections of one address.
        logins_free: Logins of an address that may fail before the next one has to wait.
        characters_free: New accounts of an address after which the next one of the day has to wait.
        lines_per_s, lines_burst: Lines of an address, in the long run and at once; of asides, a hundred for each line.
        loopback: Whether this machine's own addresses, from where proxies and tests connect, are limited too.
        proxies: Addresses and networks that are believed about others' addresses.
    """

    proxy_s: float = 5.0
    request_s: float = 30.0
    first_line_s: float = 120.0
    login_s: float = 600.0
    goodbye_s: float = 5.0
    clients_max: int = CLIENTS_MAX
    per_address_max: int = 64
    logins_free: int = 10
    characters_free: int = 10
    lines_per_s: float = 20.0
    lines_burst: int = 100
    loopback: bool = False
    proxies: tuple[str, ...] = ()

    @classmethod
    def of(cls, config: Config, clients_max: int = CLIENTS_MAX) -> Limits:
        """As the configuration says."""
        said = config.limits
        return cls(
            clients_max=clients_max,
            per_address_max=said.connections,
            logins_free=said.logins,
            characters_free=said.characters,
            lines_per_s=said.lines_per_s,
            lines_burst=said.lines_burst,
            loopback=said.loopback,
            proxies=tuple(config.server.proxies),
        )

    def limited(self, address: str) -> bool:
        """Whether an address, as it is counted, is limited at all."""
        return self.loopback or not (address == "::1/64" or address.startswith("127."))


@functools.lru_cache(maxsize=4096)
def network(address: str) -> str:
    """The /48 in which an IPv6 /64 is; "" for an IPv4 address."""
    return str(ipaddress.IPv6Network(address, strict=False).supernet(new_prefix=48)) if ":" in address else ""


def books(address: str) -> list[str]:
    """What is counted for an address is counted under these: the address, and its network if it has one."""
    return [address, wide] if (wide := network(address)) else [address]
