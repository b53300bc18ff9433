"""What players are told while a copyover goes on: at the right time, by the gateway, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from perdure.announcements import Phase
from perdure.errors import PerdureError
from perdure.movement.announce import due, opening, told

ANNOUNCE_S = 2.0
"""Longest wait for the gateway to take a line; a copyover does not wait for what is only said."""
LOOK_S = 0.2


class Asks(Protocol):
    """A process that can be asked."""

    async def ask(self, method: str, params: dict[str, Any] | None = None, *, timeout_s: float = 10.0) -> Any: ...


class Announcer:
    """The lines of one copyover.

    Args:
        gateway: Who tells them.
        texts: The texts of perdure.toml, by phase.
        server: Its name.
        quiet: Say nothing.

    Attributes:
        opened: Whether players know of it.
    """

    def __init__(self, gateway: Asks, texts: Mapping[str, str], server: str, *, quiet: bool) -> None:
        self._gateway, self._texts, self._server, self.quiet = gateway, texts, server, quiet
        self.opened = False

    async def say(
        self, phase: Phase, *, seconds: float = 0.0, reason: str = "", build: int = 0, countdown: bool = False
    ) -> None:
        """Tell all players what the phase's text says; a line of a countdown only those who do not listen to it."""
        values = {"seconds": seconds, "reason": reason, "build": build, "server": self._server}
        text = "" if self.quiet else told(phase, values, self._texts)
        if text:
            with suppress(PerdureError):  # a gateway that is not there has no players to tell
                params = {"text": text, "rooms": None, "countdown": countdown}
                await self._gateway.ask("announce", params, timeout_s=ANNOUNCE_S)

    async def open(self, in_s: float, *, builds: bool) -> None:
        """Say that there will be a copyover, unless that was said."""
        if self.opened:
            return
        self.opened = True
        await self.say(opening(in_s, builds=builds), seconds=in_s)

    async def count_down(
        self, in_s: float, clock_s: Callable[[], float], passing: Callable[[float], Awaitable[None]]
    ) -> None:
        """Wait, and say how many seconds are left.

        Args:
            passing: Awaited with the seconds that are left, a few times a second.
        """
        until_s, left_s = clock_s() + in_s, in_s
        while left_s > 0:
            await passing(left_s)
            await asyncio.sleep(min(LOOK_S, left_s))
            before_s, left_s = left_s, max(0.0, until_s - clock_s())
            for line in due(before_s, left_s):
                if left_s > 0:
                    await self.say(line.phase, seconds=line.seconds, countdown=True)
