"""A gateway with its pages, to test over real sockets."""

from typing import Any

from perdure.link.messages import EventSent
from tests.gateway.web.client import WebClient, WebSocket
from tests.gateway.world import World


class Web:
    """A running gateway with pages, which are closed with it."""

    def __init__(self, world: World) -> None:
        self.world, self.host = world, world.host()
        self.address = world.web_address
        self._open: list[WebClient | WebSocket] = []

    def page(self, **hello: Any) -> WebClient:
        """A page that has said hello."""
        page = WebClient(self.address, **hello)
        self._open.append(page)
        return page

    def socket(self, *subprotocols: str, **options: Any) -> WebSocket:
        """A connection to /play."""
        socket = WebSocket(self.address, *subprotocols, **options)
        self._open.append(socket)
        return socket

    def plays(self, name: str = "Ada") -> tuple[WebClient, EventSent]:
        """A page whose player is in the room; the account is made."""
        self.world.account(name)
        page = self.page()
        page.logs_in(name, "secret1")
        return page, self.host.joined()

    def finish(self) -> None:
        for each in self._open:
            each.drops()
