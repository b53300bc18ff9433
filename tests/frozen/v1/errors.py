"""Every error Perdure raises, by who must act.

    PerdureError
    ├── ContractError        the caller broke the contract: fix the code, the configuration or the command
    │   ├── ConfigError          perdure.toml, the command line, the environment
    │   ├── GameError            a game does not load, or uses the API wrongly (carries file and line)
    │   ├── RowError             a row type, row or key that cannot be stored
    │   └── SchemaError          stored rows do not fit the code that wants to read them
    ├── PeerError            somebody at the other end broke a protocol: drop them, keep the rest
    │   ├── ProtocolError        a message that the link's or the control socket's rules do not allow
    │   └── SnapshotRefused      sealed bytes that are damaged, forged, swapped, stale or too large
    ├── WorldError           the world failed (carries the operation, says whether to try again)
    │   ├── StorageError         disk, journal, database
    │   ├── ClaimLost            somebody else owns the room now
    │   └── Unavailable          no server is running, a port or a state folder is taken
    ├── MovementAborted      a movement went back (carries the step and who is serving)
    └── RemoteError          another process of this server answered with an error (carries its exit code)

Each message says what happened, what is true now, and what to do.
"""

from __future__ import annotations


class PerdureError(Exception):
    """Base of all errors that Perdure raises on purpose."""


def one_line(error: BaseException) -> str:
    """An error of foreign code in a line that can be stored and shown: its type, and what it says of itself."""
    name = type(error).__name__
    try:
        return f"{name}: {error}".encode("utf-8", "replace").decode()
    except BaseException:  # noqa: BLE001  (the edge to foreign code: its __str__ may raise anything)
        return name


class ContractError(PerdureError):
    """The caller broke the contract."""


class ConfigError(ContractError):
    """The configuration, command line or environment cannot be used as it is."""


class GameError(ContractError):
    """A game does not load or misuses the API.

    Attributes:
        file: Path of the author's file, or "" when no single file is to blame.
        line: 1-based line in it, or 0.
    """

    def __init__(self, message: str, *, file: str = "", line: int = 0) -> None:
        where = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
        super().__init__(where + message)
        self.message, self.file, self.line = message, file, line


class RowError(ContractError):
    """A row type, a row or a key cannot be stored."""


class SchemaError(ContractError):
    """Stored rows do not fit the code that wants to read them; the stored bytes are untouched."""


class PeerError(PerdureError):
    """Somebody at the other end broke a protocol."""


class ProtocolError(PeerError):
    """A message arrived that the protocol's rules do not allow; the connection is to be closed."""


class SnapshotRefused(PeerError):
    """Sealed bytes were refused before anything was decoded.

    Attributes:
        reason: One word for programs: size, magic, format, key, seal, bounds, room, game, epoch, body.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class WorldError(PerdureError):
    """The world outside failed.

    Attributes:
        op: Name of the operation that failed, as fault points name it (``store:append``).
        retry: Whether the same call may succeed later without anybody changing anything.
    """

    def __init__(self, message: str, *, op: str, retry: bool = False) -> None:
        super().__init__(message)
        self.op, self.retry = op, retry


class StorageError(WorldError):
    """Disk, journal or database failed; nothing of the operation is visible afterwards."""


class ClaimLost(WorldError):
    """The owner row was not what the claimer expected: somebody else owns the room."""


class Unavailable(WorldError):
    """Something that must be reachable or free is not: a server, a port, a state folder."""


class MovementAborted(PerdureError):
    """A movement went back before its commit point.

    Attributes:
        step: Name of the step at which it stopped.
        serving: Who serves the room now.
    """

    def __init__(self, message: str, *, step: str, serving: str) -> None:
        super().__init__(message)
        self.step, self.serving = step, serving


class RemoteError(PerdureError):
    """Another process of this server answered a request with an error; the message is its own.

    Attributes:
        exit: The exit code with which a command that asked this ends.
    """

    def __init__(self, message: str, *, exit: int) -> None:
        super().__init__(message)
        self.exit = exit
