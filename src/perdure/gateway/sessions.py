"""Sessions and their stages: who is connected, who plays, who is away, who is leaving.

A session begins with its connection. Once its player is known it outlives connections: a dropped player
is link-dead until somebody logs in to the account again or the time is over. The stages are one table;
a happening that it does not list cannot occur.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Literal

from perdure.gateway.client import Client, Held
from perdure.gateway.login import Dialogue
from perdure.room.record import Who

Stage = Literal["greeting", "login", "playing", "link-dead", "leaving", "over"]
Happening = Literal["line", "entered", "handed-over", "taken-over", "dropped", "left", "ended"]

MOVES: dict[tuple[Stage, Happening], Stage] = {
    # The first line came; the client was lost before it.
    ("greeting", "line"): "login",
    ("greeting", "dropped"): "over",
    # The player is known: this session plays, or gives its connection to the account's older one.
    ("login", "entered"): "playing",
    ("login", "handed-over"): "over",
    ("login", "dropped"): "over",
    # left: a Leave is on its way to the room. ended: the room knows, or said End.
    ("playing", "taken-over"): "playing",
    ("playing", "dropped"): "link-dead",
    ("playing", "left"): "leaving",
    ("playing", "ended"): "over",
    ("link-dead", "taken-over"): "playing",
    ("link-dead", "left"): "leaving",
    ("link-dead", "ended"): "over",
    ("leaving", "dropped"): "leaving",
    ("leaving", "ended"): "over",
}

NOTICES_MAX = 32
"""Texts outside the numbering that wait for a session; more are not kept."""


class Session:
    """One player's presence.

    Attributes:
        id: ``GATEWAY.EPOCH.N``.
        began_s: When it connected, on the loop's clock.
        stage: Changed by `happened` only.
        client: The connection, if there is one.
        dialogue: The login dialogue.
        who: The player, once known.
        held: What to show, oldest first; held_bytes is its size.
        deadline: The timer of the present stage.
    """

    def __init__(self, id: str, client: Client, dialogue: Dialogue, began_s: float) -> None:
        self.id, self.began_s = id, began_s
        self.stage: Stage = "greeting"
        self.client: Client | None = client
        self.dialogue = dialogue
        self.who: Who | None = None
        self.held: deque[Held] = deque()
        self.held_bytes = 0
        self.deadline: asyncio.TimerHandle | None = None

    def happened(self, happening: Happening) -> Stage:
        """Go to the stage that follows, and return it."""
        self.stage = MOVES[self.stage, happening]
        return self.stage

    def hold(self, held: Held) -> None:
        """Keep something to show."""
        if held.m == 0 and sum(1 for other in self.held if other.m == 0) >= NOTICES_MAX:
            return
        self.held.append(held)
        self.held_bytes += len(held.data)

    def take(self) -> Held:
        """The oldest thing to show."""
        held = self.held.popleft()
        self.held_bytes -= len(held.data)
        return held

    def put_back(self, unsent: list[Held]) -> None:
        """Things that were taken but did not reach a socket, oldest first, before all others."""
        self.held.extendleft(reversed(unsent))
        self.held_bytes += sum(len(held.data) for held in unsent)

    def set_deadline(self, deadline: asyncio.TimerHandle | None) -> None:
        """Replace the stage's timer."""
        if self.deadline is not None:
            self.deadline.cancel()
        self.deadline = deadline
