"""GMCP: what a client takes, and what it says of itself in `Core` and `Char.Login`.

A message is a package's name, a space and JSON, in UTF-8. Names are compared without case, as clients spell them
in every way. The client lists modules with versions ("Char 1", "Comm.Channel 1"); a module takes every message
below its name, and of two listed modules the longer name decides. What goes out:

- `Core.*` always: it is the protocol itself.
- Nothing else before the first `Core.Supports`: a client that asked for nothing gets nothing.
- `Client.GUI` and `Client.Map` once anything was listed: Mudlet takes them and never lists them.
- `Char.Login.*` only if `Char.Login` itself is listed: `Char` is older, and does not mean it.

Whatever else a client sends is ignored, as is what makes no sense: no message makes anything raise.
"""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

from perdure.gateway.secret import Secret
from perdure.gateway.wire import Credentials, PackagesWanted, ToldMore

MODULES_MAX = 64
"""Modules kept of one client; honest ones list about ten."""
CLIENT_CHARS_MAX = 64
"""Of a client's name with its version."""
VERSION_MAX = 999

CORE = "core"
UNLISTED = frozenset({"client.gui", "client.map"})
"""Messages that are sent without being listed, to clients that listed anything."""
LOGIN = "char.login"
SEPARATE = frozenset({LOGIN})
"""Modules that the module above them does not include."""

_package = re.compile(rb"[A-Za-z0-9_.-]{1,64}")
_module = re.compile(r"([A-Za-z0-9_.-]{1,64})(?: +([0-9]{1,9}))?")
_unprintable = re.compile(r"[^ -~]+")
T = TypeVar("T")


class Reply(msgspec.Struct, frozen=True):
    """Send this message back."""

    package: str
    body: bytes


Outcome = ToldMore | PackagesWanted | Credentials | Reply


class PackagesState(msgspec.Struct):
    """Everything that a `Packages` remembers, as plain data.

    Attributes:
        modules: Name in lower case -> version, 0 for one that was taken back; None before the first list.
        client: Name and version of the client, printable ASCII.
    """

    modules: dict[str, int] | None = None
    client: str = ""


class _Hello(msgspec.Struct):
    client: str = ""
    version: str = ""


class _Login(msgspec.Struct):
    """The member that names the player is called differently by clients of different years."""

    account: str = ""
    character: str = ""
    name: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return "_Login(…)"


class Packages:
    """What one client takes, from our side.

    Attributes:
        client: What `Core.Hello` said, "" before it.
    """

    def __init__(self) -> None:
        self._now = PackagesState()

    @classmethod
    def from_state(cls, state: PackagesState) -> Packages:
        """One that goes on where `state` was taken."""
        packages = cls()
        packages._now = _copied(state)
        return packages

    def state(self) -> PackagesState:
        """A copy of everything that is remembered."""
        return _copied(self._now)

    @property
    def client(self) -> str:
        """Name and version, printable ASCII."""
        return self._now.client

    def takes(self, package: str) -> bool:
        """Whether a message of this package is sent to the client."""
        name = package.lower()
        if name.partition(".")[0] == CORE:
            return True
        modules = self._now.modules
        if modules is None:
            return False
        return name in UNLISTED or self._version(name, modules) > 0

    def receive(self, package: str, body: bytes) -> list[Outcome]:
        """What a message of the client means. `body` is its JSON, b"" without any."""
        match package.lower():
            case "core.hello":
                return self._hello(_decoded(body, _Hello))
            case "core.supports.set":
                return self._supports(body, replace=True)
            case "core.supports.add":
                return self._supports(body, replace=False)
            case "core.supports.remove":
                return self._removes(body)
            case "core.ping":
                return [Reply("Core.Ping", b"")]
            case "char.login.credentials":
                return _credentials(_decoded(body, _Login))
        return []

    def _hello(self, hello: _Hello | None) -> list[Outcome]:
        if hello is None:
            return []
        client = _unprintable.sub("", f"{hello.client} {hello.version}").strip()[:CLIENT_CHARS_MAX]
        if client == self._now.client:
            return []
        self._now.client = client
        return [ToldMore()]

    def _supports(self, body: bytes, *, replace: bool) -> list[Outcome]:
        named = _named(body)
        if named is None:
            return []
        logged_in = self.takes(LOGIN)
        modules = {} if replace else self._now.modules or {}
        for name, version in named:
            if name in modules or len(modules) < MODULES_MAX:
                modules[name] = version
        self._now.modules = modules
        return [PackagesWanted(login=self.takes(LOGIN) and not logged_in)]

    def _removes(self, body: bytes) -> list[Outcome]:
        """Forget modules; one that a module above it includes is remembered as not wanted."""
        modules = self._now.modules
        if modules is None:
            return []
        for name, _version in _named(body) or []:
            modules.pop(name, None)
            if self._version(name, modules) > 0 and len(modules) < MODULES_MAX:
                modules[name] = 0
        return []

    def _version(self, name: str, modules: dict[str, int]) -> int:
        """Of the listed module with the longest name that includes `name`; 0 for none."""
        while name:
            version = modules.get(name)
            if version is not None:
                return version
            if name in SEPARATE:
                return 0
            name = name.rpartition(".")[0]
        return 0


def split_message(message: bytes) -> tuple[str, bytes] | None:
    """(package, JSON) of a message as it travels; None if it names no package."""
    name, _, body = message.strip().partition(b" ")
    if not _package.fullmatch(name):
        return None
    return name.decode("ascii"), body.strip()


def join_message(package: str, body: bytes) -> bytes:
    """A message as it travels; the JSON may be empty."""
    name = package.encode("ascii", "replace")
    return name + b" " + body if body else name


def _named(body: bytes) -> list[tuple[str, int]] | None:
    """(name in lower case, version) of each module in the list; what is no module is passed over."""
    entries = _decoded(body, list[str])
    if entries is None:
        return None
    found = [_module.fullmatch(entry.strip()) for entry in entries]
    return [(each[1].lower(), min(int(each[2] or 1), VERSION_MAX)) for each in found if each is not None]


def _credentials(login: _Login | None) -> list[Outcome]:
    """Without a name and a password the client only says that it has none stored."""
    if login is None:
        return []
    name = login.account or login.character or login.name
    return [Credentials(name, Secret(login.password))] if name and login.password else []


def _decoded(body: bytes, type: type[T]) -> T | None:
    """The JSON of a message; None if it is none, or of another form. The error would quote what may be secret."""
    try:
        return msgspec.json.decode(body, type=type)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _copied(state: PackagesState) -> PackagesState:
    return msgspec.structs.replace(state, modules=None if state.modules is None else dict(state.modules))
