"""The listening sockets that outlive the processes which accept from them."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Literal

from perdure.config import Address
from perdure.control_lines import UNIX_PATH_BYTES_MAX
from perdure.errors import ConfigError, StorageError, Unavailable

BACKLOG = 1024
"""Connects that queue while a gateway is away."""


Kind = Literal["telnet", "web"]
"""How players connect; the command line's option for the address has the same name."""


class Listeners:
    """The sockets on which players connect: for each kind, one for each address that its name has.

    Attributes:
        telnet, web: The sockets; empty where nothing is served.
    """

    def __init__(self) -> None:
        self.telnet: list[socket.socket] = []
        self.web: list[socket.socket] = []

    def open(self, kind: Kind, address: Address) -> None:
        """Listen; with port 0 all sockets of the kind take the port that the first one got.

        Raises:
            ConfigError: The name is unknown, or not an address of this machine, or the other kind listens there.
            Unavailable: The port is taken, or this user may not take it.
        """
        sockets = self._of(kind)
        for family, host in _resolved(address):
            port = sockets[0].getsockname()[1] if sockets else address.port
            try:
                sockets.append(_listen(family, Address(host, port)))
            except OSError as error:
                if sockets and error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    continue  # a name like localhost may have an IPv6 address that this machine lacks
                shared = error.errno == errno.EADDRINUSE and self._has(family, Address(host, port))
                self.close()
                raise _shared(kind, address) if shared else _explained(kind, address, error) from None

    def addresses(self, kind: Kind) -> list[Address]:
        """Where this kind's listen."""
        return [Address(*listener.getsockname()[:2]) for listener in self._of(kind)]

    def fds(self, kind: Kind) -> list[int]:
        """This kind's descriptors."""
        return [listener.fileno() for listener in self._of(kind)]

    def close(self) -> None:
        """Listen no more; those who inherited them still do."""
        for sockets in (self.telnet, self.web):
            for listener in sockets:
                listener.close()
            sockets.clear()

    def _has(self, family: socket.AddressFamily, wanted: Address) -> bool:
        """Whether one of these listens there, be it on all addresses."""
        taken = [Address(*own.getsockname()[:2]) for own in (*self.telnet, *self.web) if own.family == family]
        return any(
            own.port == wanted.port and (own.host == wanted.host or {own.host, wanted.host} & {"0.0.0.0", "::"})
            for own in taken
        )

    def _of(self, kind: Kind) -> list[socket.socket]:
        return self.telnet if kind == "telnet" else self.web


def _resolved(address: Address) -> list[tuple[socket.AddressFamily, str]]:
    flags = socket.AI_PASSIVE | socket.AI_NUMERICSERV
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=flags)
    except socket.gaierror as error:
        raise ConfigError(f"Nothing listens on {address}: {address.host!r}: {error.strerror}.") from None
    return list(dict.fromkeys((entry[0], str(entry[4][0])) for entry in found))


def _listen(family: socket.AddressFamily, address: Address) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def _shared(kind: Kind, address: Address) -> ConfigError:
    return ConfigError(
        f"telnet and web cannot both be on port {address.port}, so nothing was started: "
        f"each needs a port of its own. {_choose(kind, address)}"
    )


def _choose(kind: Kind, address: Address) -> str:
    other = Address(address.host, address.port + 1 if 0 < address.port < 65535 else 4000)
    choose = f"Choose another one: perdure run PROJECT --{kind} {other} (port 0 takes any free one)."
    return f'{choose} Or serve no web page: --web "".' if kind == "web" else choose


def _explained(kind: Kind, address: Address, error: OSError) -> ConfigError | Unavailable:
    choose = _choose(kind, address)
    if error.errno == errno.EADDRINUSE:
        return Unavailable(
            f"{address} is already in use, so nothing was started. "
            f"Who has it: ss -ltnp 'sport = :{address.port}'. {choose}",
            op=f"listen:{kind}",
        )
    if error.errno == errno.EACCES:
        return Unavailable(
            f"This user may not listen on {address}, so nothing was started. {choose}", op=f"listen:{kind}"
        )
    return ConfigError(f"Nothing can listen on {address}: {error.strerror}. Use an address of this machine.")


class SocketFolder:
    """A folder with unix sockets, however long its path is: then they are named through the folder's descriptor.

    Attributes:
        fd: The folder's descriptor; whoever inherits it under its number can use `address`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def address(self, name: str) -> str:
        """What `connect` and `bind` take, in every process that has `fd`."""
        path = str(self._folder / name)
        return path if len(os.fsencode(path)) <= UNIX_PATH_BYTES_MAX else f"/proc/self/fd/{self.fd}/{name}"

    def listen(self, name: str) -> socket.socket:
        """A listener that only this user may connect to (0600); one that a dead server left is replaced.

        Raises:
            StorageError: The folder takes no socket.
        """
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            self.remove(name)
            listener.bind(self.address(name))
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            raise StorageError(f"No socket {self._folder / name}: {error.strerror}.", op=f"listen:{name}") from error
        finally:
            os.umask(before)
        listener.setblocking(False)
        return listener

    def remove(self, name: str) -> None:
        """Forget the socket's name; a missing one is fine."""
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.fd)

    def close(self) -> None:
        os.close(self.fd)
