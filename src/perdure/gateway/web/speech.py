"""A speech: what is said in the messages of a WebSocket, once its subprotocol is chosen."""

from __future__ import annotations

from typing import Protocol

from perdure.gateway.look import Settings, Told
from perdure.gateway.wire import ClientEvent, Held, Note

Message = str | bytes
"""A text message or a binary one."""


class Broken(Exception):
    """The client broke a rule of its subprotocol: the connection ends with this close code, for this reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class Speech(Protocol):
    """One client's subprotocol, as bytes are a `Wire`'s; messages for the client come out of `take`.

    Attributes:
        told: What the client has told of itself.
        playing: Whether a game's prompts are shown, rather than the login's.
    """

    told: Told
    playing: bool

    def begin(self) -> list[ClientEvent]:
        """The WebSocket is open."""
        ...

    def receive(self, message: Message) -> list[ClientEvent]:
        """What a message of the client means, in order.

        Raises:
            Broken: It breaks a rule.
        """
        ...

    def set(self, settings: Settings) -> None:
        """The player chose these."""
        ...

    def show(self, held: Held) -> None: ...
    def end_burst(self) -> None: ...
    def note(self, note: Note) -> None: ...
    def hide_input(self, hidden: bool) -> None: ...
    def rest(self) -> str: ...
    def take(self) -> list[Message]:
        """Take the messages for the client."""
        ...
