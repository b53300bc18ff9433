"""The end of a turn: one write for each client, one frame for each link, whatever the turn had to say to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from perdure.gateway.client import BUFFER_BYTES_MAX, Client
from perdure.gateway.host_link import HostLink
from perdure.gateway.sessions import Session


class Turn:
    """Who has something to be sent this turn.

    Args:
        flush: Called with each client for which there is something; it writes.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, flush: Callable[[Client], None]) -> None:
        self._loop, self._flush_client = loop, flush
        self._clients: set[Client] = set()
        self._links: set[HostLink] = set()
        self._end: asyncio.Handle | None = None

    def client(self, client: Client) -> None:
        """There is something for this client."""
        self._clients.add(client)
        if self._end is None:
            self._schedule()

    def link(self, link: HostLink) -> None:
        """There is something for this link."""
        self._links.add(link)
        if self._end is None:
            self._schedule()

    def forget(self, gone: Client | HostLink) -> None:
        """It is closed."""
        if isinstance(gone, Client):
            self._clients.discard(gone)
        else:
            self._links.discard(gone)

    def end(self) -> None:
        """Send everything now. What the clients' texts have to say to the links goes with it, in no turn of its own."""
        clients, self._clients = self._clients, set()
        for client in clients:
            self._flush_client(client)
        self._end = None
        if self._clients:
            self._schedule()
        links, self._links = self._links, set()
        for link in links:
            link.flush()

    def cancel(self) -> None:
        """Send nothing more."""
        if self._end is not None:
            self._end.cancel()

    def _schedule(self) -> None:
        self._end = self._loop.call_soon(self.end)


def fill(client: Client, session: Session) -> None:
    """Move what is held into the client's buffer, up to its bound; a prompt is due where nothing more is held.

    None is due behind GMCP alone: it shows nothing, and may come before the answer to what was typed. Who goes on with
    a session is shown where they are, and the prompt behind that: once.
    """
    while session.held and client.buffered < BUFFER_BYTES_MAX:
        held = session.take()
        client.queue(held)
        if held.text.text or held.text.prompt is not None:
            client.burst = True
    if client.burst and not session.held and not session.awaits:
        client.wire.end_burst()
        client.burst = False
