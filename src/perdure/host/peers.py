"""The hosts beside this one: a control channel to each, over a socket in the folder of its journal.

Rooms move over these channels, and mail between rooms of different hosts takes them. Whoever wants something
connects; from then on both sides may ask. A channel that breaks means that nothing of the other host is known:
the owner rows decide about every room.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import structlog

from perdure.control import Channel, Handler, open_channel_socket
from perdure.errors import PerdureError, ProtocolError, Unavailable
from perdure.versions import CONTROL, Versions, refusal

SOCKET = "peer.sock"
T = TypeVar("T")

HELLO_S = 5.0
"""A host that lives answers its neighbour within this time."""


class Hello(msgspec.Struct):
    """The first that two hosts say to each other: who it is, and the lowest and highest version of control."""

    incarnation: str
    control: tuple[int, int]


def asked(params: object, kind: type[T]) -> T:
    """What another process sent, as the struct that it must be.

    Raises:
        ProtocolError: It is not that.
    """
    try:
        return msgspec.convert(params, kind)
    except msgspec.ValidationError as error:
        raise ProtocolError(f"what was asked does not fit: {error}. Nothing was changed.") from error


def _check(hello: Hello) -> None:
    if why := refusal("control", "a neighbour", Versions(*hello.control), "this host", CONTROL):
        raise ProtocolError(why)


class Peers:
    """Channels to the other hosts on this state folder.

    Args:
        journals: The folder with one folder for each incarnation.
        own: This host's incarnation.
        handlers: What the others may ask; called with their incarnation added as `peer`.
        told: Called with (incarnation, event) for what they notify.
        lost: Called with the incarnation whose channel is gone.
        found: Called with the incarnation that a channel now leads to.
    """

    def __init__(
        self,
        journals: Path,
        own: str,
        handlers: Mapping[str, Handler],
        *,
        told: Callable[[str, dict[str, Any]], None],
        lost: Callable[[str], None],
        found: Callable[[str], None],
    ) -> None:
        self._own, self._handlers = own, handlers
        self._hello = Hello(own, CONTROL)
        self._told, self._lost, self._found = told, lost, found
        self._folder_fd = os.open(journals, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._channels: dict[str, Channel] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def listen(self) -> None:
        """Let the others connect.

        Raises:
            OSError: The folder takes no socket.
        """
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(self._address(self._own))
        listener.listen()
        listener.setblocking(False)
        self._server = await asyncio.start_unix_server(self._knocked, sock=listener)

    async def channel(self, incarnation: str) -> Channel:
        """A channel to that host, the one that is there or a new one.

        Raises:
            Unavailable: It does not answer.
        """
        known = self._channels.get(incarnation)
        if known is not None:
            return known
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(self._address(incarnation))
        except OSError as error:
            sock.close()
            raise Unavailable(
                f"the host {incarnation} cannot be reached: {error.strerror}.", op="peer:connect"
            ) from None
        channel = await open_channel_socket(
            sock, self._asked_by(incarnation), lambda event: self._told(incarnation, event)
        )
        self._serve(channel, lambda: incarnation)
        try:
            answer = await channel.request("hello", msgspec.to_builtins(self._hello), timeout_s=HELLO_S)
            _check(asked(answer, Hello))
        except BaseException:
            channel.close()
            raise
        self._greeted(incarnation, channel)
        return channel

    def tell(self, event: dict[str, Any], incarnation: str = "") -> bool:
        """Notify this host, or every one ("") that is connected; whether there is any."""
        told = [channel for name, channel in self._channels.items() if incarnation in ("", name)]
        for channel in told:
            channel.notify(event)
        return bool(told)

    def reaches(self, incarnation: str) -> bool:
        """Whether there is a channel to that host."""
        return incarnation in self._channels

    async def ask_all(self, method: str) -> None:
        """Ask every host that is connected; those that do not answer are passed over."""
        for channel in list(self._channels.values()):
            with suppress(PerdureError):
                await channel.request(method, timeout_s=HELLO_S)

    def close(self) -> None:
        """End all channels."""
        if self._server is not None:
            self._server.close()
        for channel in list(self._channels.values()):
            channel.close()
        for task in self._tasks:
            task.cancel()
        os.close(self._folder_fd)

    def _address(self, incarnation: str) -> str:
        """Short enough for a socket's address, however long the folder's path is."""
        return f"/proc/self/fd/{self._folder_fd}/{incarnation}/{SOCKET}"

    async def _knocked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        who = ""

        async def hello(params: dict[str, Any]) -> Any:
            nonlocal who
            said = asked(params, Hello)
            _check(said)
            who = said.incarnation
            handlers.update(self._asked_by(who))
            self._greeted(who, channel)
            return msgspec.to_builtins(self._hello)

        handlers: dict[str, Handler] = {"hello": hello}
        channel = Channel(reader, writer, handlers, lambda event: self._told(who, event))
        self._serve(channel, lambda: who)

    def _greeted(self, incarnation: str, channel: Channel) -> None:
        self._channels[incarnation] = channel
        self._found(incarnation)

    def _asked_by(self, incarnation: str) -> dict[str, Handler]:
        def bound(handler: Handler) -> Handler:
            async def answer(params: dict[str, Any]) -> Any:
                return await handler({**params, "peer": incarnation})

            return answer

        return {name: bound(handler) for name, handler in self._handlers.items()}

    def _serve(self, channel: Channel, who: Callable[[], str]) -> None:
        task = asyncio.get_running_loop().create_task(self._until_over(channel, who))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _until_over(self, channel: Channel, who: Callable[[], str]) -> None:
        try:
            await channel.serve()
        except ProtocolError as error:
            structlog.get_logger().error("peer", incarnation=who(), error=str(error))
        finally:
            if self._channels.get(who()) is channel:
                del self._channels[who()]
                with suppress(RuntimeError):  # the loop is over
                    self._lost(who())
