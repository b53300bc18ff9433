"""The network between a browser and the server, which a test can cut, silence and heal."""

import asyncio
import threading
from typing import Literal


class Net:
    """Passes bytes on from a port of its own to the server's.

    Attributes:
        address: Where the browser connects.
    """

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._state: Literal["up", "cut", "silent"] = "up"
        self._transports: set[asyncio.WriteTransport] = set()
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)))
        self._thread.start()
        assert ready.wait(20)

    def cut(self) -> None:
        """Every connection breaks, and no new one comes about."""
        self._now("cut")

    def silence(self) -> None:
        """Connections stay, and nothing comes through."""
        self._now("silent")

    def heal(self) -> None:
        """From here on everything comes through again."""
        self._now("up")

    def close(self) -> None:
        """The end."""
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(20)

    def _now(self, state: Literal["up", "cut", "silent"]) -> None:
        done = threading.Event()

        def change() -> None:
            self._state = state
            self._up.set() if state == "up" else self._up.clear()
            for transport in self._transports if state == "cut" else ():
                transport.abort()
            done.set()

        self._loop.call_soon_threadsafe(change)
        assert done.wait(20)

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._done, self._up = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        self._up.set()
        server = await asyncio.start_server(self._pass, "127.0.0.1", 0)
        self.address: tuple[str, int] = server.sockets[0].getsockname()[:2]
        ready.set()
        await self._done.wait()
        server.close()
        while self._transports:  # each connection notices, and its tasks end
            for transport in self._transports:
                transport.abort()
            self._up.set()
            await asyncio.sleep(0)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._state == "cut":
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection(*self._server)
        both = {writer.transport, far_writer.transport}
        self._transports |= both
        await asyncio.wait(
            [asyncio.create_task(self._pump(reader, far_writer)), asyncio.create_task(self._pump(far_reader, writer))],
        )
        self._transports -= both

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self._up.wait()
                writer.write(data)
                await writer.drain()
            writer.close()
        except OSError:
            writer.transport.abort()
