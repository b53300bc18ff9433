"""What is believed of an HTTP request, and by whom it may have been sent.

A browser names the page that opens a WebSocket in `Origin`. Only our own page may: one of the same host, or of the
configured origins. A request without an Origin comes from no browser, and nothing is gained by refusing it. What a
proxy says in X-Forwarded-… is believed only if the connection itself comes from a trusted address.

A host is ours if it is a number or localhost, or if it is the host of a configured origin. Any other name may be a
stranger's who lets it point at this machine, so that their page is of the same host as we are (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection

from websockets.datastructures import Headers
from websockets.http11 import Request

from perdure.errors import ProtocolError
from perdure.gateway.proxy import Proxies

HEAD_BYTES_MAX = 8192
"""Request line and headers together; browsers send about 1 KiB."""
DEFAULT_PORTS = {"http": ":80", "https": ":443"}

_request_line = re.compile(rb"([A-Z]{1,16}) [!-~]+ HTTP/1\.[01]\r\n")
_authority = re.compile(r"(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
_origin = re.compile(r"(https?)://([^/?#@\s]+)")
_port = re.compile(r":[0-9]*$")


def method(head: bytes | bytearray) -> str | None:
    """The method that a request begins with; "" while that cannot be told; None: this is no HTTP/1."""
    if found := _request_line.match(head):
        return found[1].decode()
    if b"\n" in head or (head and not head[:1].isupper()):
        return None
    return ""


def host(request: Request, *, trusted: bool) -> str | None:
    """The host that the client asked for, in lower case, with its port if it has one; None: that cannot be told."""
    values = _last(request.headers, "X-Forwarded-Host") if trusted else []
    values = values or request.headers.get_all("Host")
    if len(values) != 1 or len(values[0]) > 255:
        return None
    found = values[0].lower()
    return found if _authority.fullmatch(found) else None


def known(host: str, origins: Collection[str]) -> bool:
    """Whether a host, as `host` found it, is one of the server's own; its port is not looked at."""
    name = _name(host)
    if name.rpartition(".")[2] == "localhost" or name in (_name(origin.partition("//")[2]) for origin in origins):
        return True
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def origin_of(request: Request, host: str) -> str:
    """What the page of this host will say in `Origin`, as far as can be seen here: for advice only."""
    told = _last(request.headers, "X-Forwarded-Proto")
    return f"{'https' if told and told[0].lower() in ('https', 'wss') else 'http'}://{host}"


def ours(request: Request, host: str, origins: Collection[str], *, trusted: bool) -> bool:
    """Whether a WebSocket may be opened by whoever asks for it.

    Args:
        host: As `host` found it.
        origins: Others that may, in lower case, as in ``https://play.example.org``.
    """
    values = request.headers.get_all("Origin")
    if not values:
        return True
    origin = values[0].lower()
    if len(values) == 1 and origin in origins:
        return True
    found = _origin.fullmatch(origin)
    if len(values) > 1 or found is None:
        return False
    scheme, authority = found.groups()
    told = _last(request.headers, "X-Forwarded-Proto") if trusted else []
    if told and told[0].lower() not in (scheme, scheme.replace("http", "ws")):
        return False
    return authority.removesuffix(DEFAULT_PORTS[scheme]) == host.removesuffix(DEFAULT_PORTS[scheme])


def forwarded(request: Request, proxies: Proxies) -> str:
    """The address for which a trusted proxy forwards; "" if it named none, or something that is no address."""
    named = ",".join(request.headers.get_all("X-Forwarded-For"))
    try:
        return proxies.client(named) if named else ""
    except ProtocolError:
        return ""


def _name(authority: str) -> str:
    return _port.sub("", authority).removesuffix(".")


def _last(headers: Headers, name: str) -> list[str]:
    """What the nearest proxy said, as a list of one; empty if it said nothing."""
    values = ",".join(headers.get_all(name)).split(",")
    return [values[-1].strip()] if values[-1].strip() else []
