"""The command line's end of the control socket: blocking, without an event loop."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from perdure.control_lines import (
    CONTROL_SOCKET,
    UNIX_PATH_BYTES_MAX,
    Line,
    LineReader,
    encode_line,
    no_server,
    remote_error,
)
from perdure.errors import ProtocolError, Unavailable


class Client:
    """A connection to the server that runs on a state folder; a context manager.

    Raises:
        Unavailable: No server runs there, or it is somebody else's.
    """

    def __init__(self, state: Path) -> None:
        self._state = state
        self._lines = LineReader()
        self._last_id = 0
        self._events: list[dict[str, Any]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._connect(state / CONTROL_SOCKET)
        except OSError as error:
            self._socket.close()
            raise _not_there(state, error) from None

    def _connect(self, path: Path) -> None:
        if len(os.fsencode(path)) <= UNIX_PATH_BYTES_MAX:
            self._socket.connect(str(path))
            return
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._socket.connect(f"/proc/self/fd/{folder}/{path.name}")
        finally:
            os.close(folder)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def request(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        *,
        timeout_s: float = 30.0,
        on_event: Callable[[dict[str, Any]], None] | None = None,
    ) -> Any:
        """Ask, and wait for the answer; `on_event` takes what the server notifies meanwhile, else `events` has it.

        Raises:
            RemoteError: The server answered with an error.
            Unavailable: It ended, or did not answer in time.
        """
        self._last_id += 1
        self._socket.settimeout(timeout_s)
        try:
            self._socket.sendall(encode_line(Line(id=self._last_id, method=method, params=params or {})))
        except OSError as error:
            raise _not_there(self._state, error) from None
        while True:
            lines = self._receive(f"{method}: no answer within {timeout_s:g} s. The server is busy; try again.")
            if lines is None:
                raise no_server("The server ended before it answered. See what happened: perdure events")
            for line in lines:
                if line.event is not None:
                    (on_event or self._events.append)(line.event)
            for line in lines:
                if line.id == self._last_id:
                    return _result(line)

    def events(self) -> Iterator[dict[str, Any]]:
        """What the server notifies from here on, until it ends."""
        self._socket.settimeout(None)
        while True:
            while self._events:
                yield self._events.pop(0)
            lines = self._receive("")
            if lines is None:
                return
            self._events += [line.event for line in lines if line.event is not None]

    def wait_end(self, timeout_s: float) -> bool:
        """Whether the server closed this connection within the time, as it does when it has ended."""
        self._socket.settimeout(timeout_s)
        try:
            while self._receive("") is not None:
                pass
        except Unavailable:
            return False
        return True

    def _receive(self, late: str) -> list[Line] | None:
        try:
            data = self._socket.recv(1 << 16)
        except TimeoutError:
            raise Unavailable(late, op="control:request", retry=True) from None
        except OSError:
            return None
        return self._lines.feed(data) if data else None


def _result(line: Line) -> Any:
    if line.error is not None:
        raise remote_error(line.error)
    if line.result is msgspec.UNSET:
        raise ProtocolError("the server answered with neither a result nor an error")
    return line.result


def _not_there(state: Path, error: OSError) -> Unavailable:
    if isinstance(error, PermissionError):
        return Unavailable(
            f"The server on {state} belongs to another user. Run this as that user.", op="control:connect"
        )
    return Unavailable(
        f"No server is running on {state}. Start one: perdure run PROJECT. "
        "If it runs elsewhere, name its state folder with --state DIR or PERDURE_STATE.",
        op="control:connect",
    )
