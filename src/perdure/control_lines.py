"""The control protocol's lines: one JSON object each, the same wherever Perdure's processes talk.

    request       {"id": 1, "method": "rooms", "params": {}}
    answer        {"id": 1, "result": ...}  or  {"id": 1, "error": {"message": "...", "exit": 6}}
    notification  {"event": {"kind": "...", ...}}

Both ends may send all three. No asyncio here: the command line reads these lines with a plain socket,
because importing an event loop would cost more than the command itself.
"""

from __future__ import annotations

from typing import Any

import msgspec

from perdure.errors import (
    ConfigError,
    ContractError,
    GameError,
    MovementAborted,
    PerdureError,
    ProtocolError,
    RemoteError,
    RowError,
    SchemaError,
    SnapshotRefused,
    Unavailable,
    WorldError,
)

CONTROL_SOCKET = "control.sock"
"""In the state folder."""
UNIX_PATH_BYTES_MAX = 107
"""What fits into sockaddr_un.sun_path with its terminating zero (unix(7)); longer ones need the folder's descriptor."""
LINE_BYTES_MAX = 16 * 1024 * 1024
"""A longer line is a protocol error: the status of ten thousand rooms is 4 MiB."""

EXIT_OK = 0
EXIT_INTERNAL = 1
EXIT_USAGE = 2
EXIT_ABORTED = 3
EXIT_REFUSED = 4
EXIT_PARTIAL = 5
EXIT_NO_SERVER = 6
EXIT_CONFIG = 7
EXIT_TAKEN = 8
EXIT_INTERRUPTED = 130
"""Ctrl-C in a command, as shells say it."""

NO_SERVER = "control:connect"
"""`op` of the Unavailable that says: no server, or no process of it, is there to answer."""


class AnswerError(msgspec.Struct):
    """Why a request failed.

    Attributes:
        message: For people: what happened, what is true now, what to do.
        exit: The exit code with which a command that asked this ends.
    """

    message: str
    exit: int = EXIT_INTERNAL


class Line(msgspec.Struct, omit_defaults=True):
    """Any line: a request has a method, a notification an event, an answer a result or an error."""

    id: int | None = None
    method: str | None = None
    params: dict[str, Any] = {}
    result: Any = msgspec.UNSET
    error: AnswerError | None = None
    event: dict[str, Any] | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Line)


def encode_line(line: Line) -> bytes:
    """The line's bytes, newline included."""
    return _encoder.encode(line) + b"\n"


class LineReader:
    """Cuts a byte stream into lines; holds at most one incomplete line."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Line]:
        """All lines that are complete with `data`.

        Raises:
            ProtocolError: A line is too long or is not an object of the protocol.
        """
        self._buffer += data
        *complete, rest = self._buffer.split(b"\n")
        if len(rest) > LINE_BYTES_MAX:
            raise ProtocolError(f"a control line of more than {LINE_BYTES_MAX} bytes")
        self._buffer = rest
        return [_decode(bytes(line)) for line in complete if line]


def _decode(data: bytes) -> Line:
    try:
        line = _decoder.decode(data)
    except msgspec.DecodeError as error:
        raise ProtocolError(f"a control line does not decode: {error}") from error
    if line.event is None and line.id is None:
        raise ProtocolError("a control line that is neither a request, an answer nor a notification")
    return line


def exit_code(error: BaseException) -> int:
    """The exit code with which a command ends that failed with `error` (docs/reference/cli.md)."""
    match error:
        case RemoteError():
            return error.exit
        case ConfigError() | GameError() | RowError() | SchemaError():
            return EXIT_CONFIG
        case Unavailable():
            return EXIT_NO_SERVER if error.op.startswith("control:") else EXIT_TAKEN
        case MovementAborted():
            return EXIT_ABORTED
        case SnapshotRefused() | ContractError():
            return EXIT_REFUSED
        case _:
            return EXIT_INTERNAL


def answer_error(error: PerdureError) -> AnswerError:
    """What the other end is told about `error`."""
    return AnswerError(str(error), exit_code(error))


def remote_error(error: AnswerError) -> PerdureError:
    """The exception for an error that the other end answered."""
    return RemoteError(error.message, exit=error.exit)


def no_server(message: str) -> WorldError:
    """The error of a request that nobody is there to answer."""
    return Unavailable(message, op=NO_SERVER, retry=True)
