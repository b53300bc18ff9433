"""The control channel: requests, answers and notifications between Perdure's processes, in both directions.

The supervisor holds one channel to each of its children (an inherited socket) and one for each client of
`control.sock`. The protocol is `control_lines`; this module is its asyncio shell.

A channel never holds up its owner: handlers run as tasks, and a peer that does not read what it is told
is closed before its backlog costs memory.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import msgspec

from perdure.control_lines import (
    EXIT_INTERNAL,
    EXIT_USAGE,
    AnswerError,
    Line,
    LineReader,
    answer_error,
    encode_line,
    no_server,
    remote_error,
)
from perdure.errors import PerdureError, ProtocolError, Unavailable

Handler = Callable[[dict[str, Any]], Awaitable[Any]]
"""Answers one request: takes its params, returns what JSON can say; a PerdureError is an error answer."""

REQUESTS_MAX = 64
"""Requests of one peer that are in hand at the same time; the next ones wait in the socket."""
BACKLOG_BYTES_MAX = 8 * 1024 * 1024
"""A peer with more than this unread is closed."""


class Channel:
    """One end of a control connection; `serve` must run for anything to be received.

    Args:
        reader, writer: The connection. The channel owns it.
        handlers: By method name.
        on_event: Called with each notification of the peer.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        handlers: Mapping[str, Handler],
        on_event: Callable[[dict[str, Any]], None],
    ) -> None:
        self._reader, self._writer = reader, writer
        self._handlers, self._on_event = handlers, on_event
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._last_id = 0
        self._room_for_requests = asyncio.Semaphore(REQUESTS_MAX)
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = False

    async def request(self, method: str, params: dict[str, Any] | None = None, *, timeout_s: float = 10.0) -> Any:
        """Ask the peer, and wait for its answer.

        Raises:
            RemoteError: The peer answered with an error.
            Unavailable: The connection is over, or no answer came in time; the request may have been done.
        """
        if self._over:
            raise no_server(f"{method}: the process at the other end is gone")
        self._last_id += 1
        id = self._last_id
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[id] = answer
        try:
            self._send(Line(id=id, method=method, params=params or {}))
            # not wait_for: before Python 3.12 it swallows a cancellation that comes together with the answer
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError:
            reason = f"{method}: no answer within {timeout_s:.3g} s"
            raise Unavailable(reason, op="control:request", retry=True) from None
        finally:
            del self._waiting[id]

    @property
    def over(self) -> bool:
        """Whether nothing can be asked any more."""
        return self._over

    def notify(self, event: dict[str, Any]) -> None:
        """Tell the peer, without an answer. Says nothing on a connection that is over."""
        self._send(Line(event=event))

    async def serve(self) -> None:
        """Receive until the peer closes, the connection breaks or `close` is called; then requests fail.

        Raises:
            ProtocolError: The peer broke the protocol; the connection is closed.
        """
        lines = LineReader()
        try:
            while data := await self._reader.read(1 << 16):
                for line in lines.feed(data):
                    await self._receive(line)
        except OSError:
            pass  # a broken connection is an end like any other
        finally:
            self._end()

    def close(self) -> None:
        """Close the connection after what was already said."""
        self._over = True
        self._writer.close()

    async def drained(self) -> None:
        """Wait until the peer has taken what was said so far."""
        with suppress(OSError):  # nobody is left to take it
            await self._writer.drain()

    async def _receive(self, line: Line) -> None:
        if line.event is not None:
            self._on_event(line.event)
        elif line.method is not None:
            await self._room_for_requests.acquire()
            task = asyncio.get_running_loop().create_task(self._answer(line))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self._answered(line)

    def _answered(self, line: Line) -> None:
        assert line.id is not None
        answer = self._waiting.get(line.id)
        if answer is None or answer.done():
            return  # it came after its deadline
        if line.error is not None:
            answer.set_exception(remote_error(line.error))
        elif line.result is msgspec.UNSET:
            raise ProtocolError(f"answer {line.id} has neither a result nor an error")
        else:
            answer.set_result(line.result)

    async def _answer(self, line: Line) -> None:
        try:
            self._send(await self._answer_line(line))
        finally:
            self._room_for_requests.release()

    async def _answer_line(self, line: Line) -> Line:
        assert line.method is not None
        handler = self._handlers.get(line.method)
        if handler is None:
            known = ", ".join(sorted(self._handlers))
            return Line(id=line.id, error=AnswerError(f"no method {line.method!r}; there are {known}", EXIT_USAGE))
        try:
            return Line(id=line.id, result=await handler(line.params))
        except PerdureError as error:
            return Line(id=line.id, error=answer_error(error))
        except Exception as error:  # noqa: BLE001 - the edge: a handler's bug is answered, reported, and stays there
            message = f"{line.method}: {type(error).__name__}: {error}"
            asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})
            return Line(id=line.id, error=AnswerError(f"internal error in {message}", EXIT_INTERNAL))

    def _send(self, line: Line) -> None:
        if self._over or self._writer.is_closing():  # it broke, which `serve` is about to notice
            return
        self._writer.write(encode_line(line))
        if self._writer.transport.get_write_buffer_size() > BACKLOG_BYTES_MAX:
            self._writer.transport.abort()
            self._over = True

    def _end(self) -> None:
        self.close()
        for task in self._tasks:
            task.cancel()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(no_server("the process at the other end is gone; what it had done is unknown"))


async def open_channel_fd(
    fd: int, handlers: Mapping[str, Handler], on_event: Callable[[dict[str, Any]], None]
) -> Channel:
    """A channel on an inherited socket; the channel owns the descriptor from here."""
    return await open_channel_socket(socket.socket(fileno=fd), handlers, on_event)


async def open_channel_socket(
    sock: socket.socket, handlers: Mapping[str, Handler], on_event: Callable[[dict[str, Any]], None]
) -> Channel:
    """A channel on a connected unix socket; the channel owns it from here."""
    sock.setblocking(False)
    reader, writer = await asyncio.open_unix_connection(sock=sock)
    return Channel(reader, writer, handlers, on_event)
