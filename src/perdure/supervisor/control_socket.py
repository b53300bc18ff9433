"""`control.sock`: where the command line and every other program ask a server."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from perdure.control import Channel, Handler
from perdure.errors import ProtocolError
from perdure.supervisor.events import Event, EventLog

LINK_SOCKET = "link.sock"

CLOSE_S = 1.0
"""How long a client may take for the last that it is told."""

MERGED_METHODS = ("rooms", "modules", "games")
"""Every host is asked."""
ROOM_METHODS = (
    "room.show",
    "room.pause",
    "room.step",
    "room.continue",
    "room.resume",
    "room.discard",
)
"""The host that has the room is asked."""
PATIENCE_S = {"reload": 4500.0}
"""How long an answer may take, where that is longer than usual: a canary is watched for up to an hour."""
GATEWAY_METHODS = ("sessions", "sessions.end", "notice")


class ControlSocket:
    """Serves requests; adds the method `events`, which knows its client.

    Args:
        handlers: By method name.
        events: The server's event log; what clients do wrong is in it too.
    """

    def __init__(self, handlers: Mapping[str, Handler], events: EventLog) -> None:
        self._handlers, self._events = handlers, events
        self._channels: dict[Channel, asyncio.Task[None]] = {}
        self._server: asyncio.Server | None = None

    async def open(self, listener: socket.socket) -> None:
        """Accept clients from here on."""
        self._server = await asyncio.start_unix_server(self._client, sock=listener)

    async def close(self) -> None:
        """Accept nobody more, and end all connections after what was already said; waits a moment for that."""
        if self._server is not None:
            self._server.close()
        for channel in self._channels:
            channel.close()
        if self._channels:
            await asyncio.wait(list(self._channels.values()), timeout=CLOSE_S)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        unfollow: list[Callable[[], None]] = []
        handlers = dict(self._handlers)
        channel = Channel(reader, writer, handlers, _ignore)
        handlers["events"] = partial(self._list_events, channel, unfollow)
        task = asyncio.current_task()
        assert task is not None
        self._channels[channel] = task
        try:
            await channel.serve()
        except ProtocolError as error:
            self._events.emit("control-refused", message=str(error))
        finally:
            del self._channels[channel]
            for end in unfollow:
                end()

    async def _list_events(self, channel: Channel, unfollow: list[Callable[[], None]], params: dict[str, Any]) -> Any:
        """The newest events; with follow, each later one is notified. Older ones stand in STATE/events.jsonl."""
        if params.get("follow"):
            unfollow.append(self._events.follow(channel.notify))
        return list(self._events.recent)


def _ignore(event: Event) -> None:
    """A client of the control socket has nothing to notify."""
    del event
