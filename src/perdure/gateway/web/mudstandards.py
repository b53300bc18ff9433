"""The subprotocols of mudstandards.org/websocket: a terminal's text in binary messages, GMCP in text messages.

    terminal.mudstandards.org   text only; a text message is taken for lines, too
    gmcp.mudstandards.org       text messages are ``Package.Name json``
    json.mudstandards.org       text messages are ``{"proto": "gmcp", "id": "Package.Name", "data": "json"}``

All of it is UTF-8, so a player's `set encoding` only chooses letters here. A message is one line or several, and its
end ends the last one: `look` with and without a line end are the same. Nothing in them can hide what is typed: such a
client shows passwords. A `proto` other than gmcp is passed over, as is a GMCP message that makes no sense.
"""

from __future__ import annotations

import re

import msgspec

from perdure.gateway.gmcp import Packages, Reply, join_message, split_message
from perdure.gateway.look import Settings, Told, look_of
from perdure.gateway.terminal.screen import Screen
from perdure.gateway.web.speech import Broken, Message
from perdure.gateway.wire import LINE_BYTES_MAX, Bye, ClientEvent, Held, Line, LineTooLong, Note, Opened, ToldMore

TERMINAL, GMCP, JSON = "terminal.mudstandards.org", "gmcp.mudstandards.org", "json.mudstandards.org"
MUDSTANDARDS = (TERMINAL, GMCP, JSON)

_line_end = re.compile("\r\n|\r\0|\r|\n")


class _Envelope(msgspec.Struct):
    """`data` is JSON in a string; clients that send it as it is are understood as well."""

    proto: str
    id: str = ""
    data: msgspec.Raw = msgspec.Raw(b'""')


class MudSpeech:
    """One client's messages.

    Args:
        subprotocol: One of `MUDSTANDARDS`.
        forwarded: The address that a trusted proxy named.
    """

    def __init__(self, subprotocol: str, forwarded: str) -> None:
        self.told = Told(charset="utf-8")
        self._subprotocol, self._forwarded = subprotocol, forwarded
        self._settings = Settings()
        self._packages = Packages()
        self._screen = Screen(look_of(self.told, self._settings))
        self._out: list[Message] = []

    @property
    def playing(self) -> bool:
        """Whether a game's prompts are shown, rather than the login's."""
        return self._screen.playing

    @playing.setter
    def playing(self, playing: bool) -> None:
        self._screen.playing = playing

    def begin(self) -> list[ClientEvent]:
        """Somebody is there at once."""
        return [Opened(self._forwarded)]

    def receive(self, message: Message) -> list[ClientEvent]:
        """The lines of a message, or what its GMCP means."""
        if isinstance(message, str) and self._subprotocol != TERMINAL:
            return self._gmcp(message)
        try:
            text = message if isinstance(message, str) else message.decode()
        except UnicodeDecodeError:
            raise Broken(1007, "text that is not UTF-8") from None
        lines = _line_end.split(text)
        if len(lines) > 1 and not lines[-1]:
            lines.pop()
        return [event for line in lines for event in self._typed(line)]

    def set(self, settings: Settings) -> None:
        """The player chose these."""
        self._settings = settings
        self._screen.show_as(look_of(self.told, settings))

    def show(self, held: Held) -> None:
        """A text, or a GMCP message that the client takes; a prompt is remembered."""
        if held.text.gmcp is None:
            self._shows(self._screen.show(held.text))
        elif self._packages.takes(held.text.gmcp[0]):
            self._send_gmcp(*held.text.gmcp)

    def end_burst(self) -> None:
        """Draw the prompt that is due."""
        prompt, _drawn = self._screen.end_burst()
        self._shows(prompt)

    def note(self, note: Note) -> None:
        """Of all notes, GMCP has a word for the end."""
        if isinstance(note, Bye):
            self._send_gmcp("Core.Goodbye", msgspec.json.encode(note.reason))

    def hide_input(self, hidden: bool) -> None:
        """There are no words for it."""

    def rest(self) -> str:
        """Take what waits for its page."""
        return self._screen.rest()

    def take(self) -> list[Message]:
        """The messages for the client."""
        out, self._out = self._out, []
        return out

    def _typed(self, line: str) -> list[ClientEvent]:
        if len(line.encode()) > LINE_BYTES_MAX:
            return [LineTooLong()]
        typed = self._screen.typed(line)
        self._shows(typed.shown)
        if typed.line is None:
            self.end_burst()
            return []
        return [Line(typed.line)]

    def _gmcp(self, message: str) -> list[ClientEvent]:
        parted = _opened(message) if self._subprotocol == JSON else split_message(message.encode())
        events: list[ClientEvent] = []
        for outcome in self._packages.receive(*parted) if parted is not None else ():
            match outcome:
                case Reply(package=package, body=body):
                    self._send_gmcp(package, body)
                case ToldMore():
                    self.told = msgspec.structs.replace(self.told, client=self._packages.client)
                    events.append(outcome)
                case _:
                    events.append(outcome)
        return events

    def _shows(self, text: str) -> None:
        if text:
            self._out.append(text.encode())

    def _send_gmcp(self, package: str, body: bytes) -> None:
        if self._subprotocol == GMCP:
            self._out.append(join_message(package, body).decode())
        elif self._subprotocol == JSON:
            envelope = {"proto": "gmcp", "id": package, "data": body.decode()}
            self._out.append(msgspec.json.encode(envelope).decode())


def _opened(message: str) -> tuple[str, bytes] | None:
    """(package, JSON) of an envelope; None for one of another protocol, or none at all."""
    try:
        envelope = msgspec.json.decode(message, type=_Envelope)
        data = msgspec.json.decode(envelope.data)
    except (msgspec.DecodeError, RecursionError):
        return None
    if envelope.proto.lower() != "gmcp":
        return None
    return envelope.id, data.encode() if isinstance(data, str) else bytes(envelope.data)
