"""The wire of telnet clients: the telnet machine, a text screen, and the packages that a GMCP client takes.

Which encoding a client speaks follows from what it told, what it agreed upon and what its player chose
(`look`). Unless an encoding was agreed upon or chosen, a line that is not UTF-8 is read as Latin-1, and text is written
so, until a line has letters in UTF-8 again: one bad byte in a paste does not spoil the rest of a session.

Latin-1 is read as Windows-1252: nobody types C1 controls, and clients on Windows mean quotes, dashes and the euro by
their bytes. It is written as ISO-8859-1 alone: on other systems those bytes are controls, which garble a terminal.

All of the wire's state is one plain struct: it can be exported after any byte and continued by another process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from msgspec import UNSET

from perdure.gateway.gmcp import Packages, PackagesState, Reply
from perdure.gateway.look import Settings, Told, look_of
from perdure.gateway.telnet.machine import Telnet
from perdure.gateway.telnet.options import told_of
from perdure.gateway.telnet.state import AreYouThere, Changed, Gmcp, StatusAsked, TelnetEvent, TelnetState, Typed
from perdure.gateway.terminal.render import encode
from perdure.gateway.terminal.screen import Screen, ScreenState
from perdure.gateway.wire import ASIDES_PER_LINE, Bye, ClientEvent, EncodingFellBack, Held, Line, Note, Opened, ToldMore
from perdure.room.record import Text

Status = Callable[[], Mapping[str, str | list[str]]]
"""The server's MSSP variables as they stand."""


YES = Text("[Yes]\n")
"""The evidence that RFC 854 wants of whoever is asked: are you there?"""


class TelnetWireState(msgspec.Struct):
    """Everything that a `TelnetWire` remembers, as plain data. What is not said here follows from it.

    Attributes:
        telnet, screen, packages: Of its parts.
        settings, playing: As the gateway set them.
        invalid_utf8: The client's last line with other than ASCII was not UTF-8.
        fell_back: `EncodingFellBack` was given.
    """

    telnet: TelnetState
    screen: ScreenState
    packages: PackagesState
    settings: Settings
    playing: bool
    invalid_utf8: bool
    fell_back: bool


class TelnetWire:
    """One telnet client; a `Wire`.

    Args:
        status: Called when the client asks for the server's status (MSSP).
    """

    transport = "telnet"
    framed = False
    acknowledges = False

    def __init__(self, status: Status) -> None:
        self._status = status
        self._telnet, self._packages = Telnet(), Packages()
        self._settings = Settings()
        self._invalid_utf8 = self._fell_back = False
        self._told = Told()
        self._screen = Screen(look_of(self._told, self._settings))

    @classmethod
    def from_state(cls, state: TelnetWireState, status: Status) -> TelnetWire:
        """A wire that goes on where `state` was taken."""
        wire = cls(status)
        wire._telnet = Telnet.from_state(state.telnet)
        wire._packages = Packages.from_state(state.packages)
        wire._screen = Screen.from_state(state.screen)
        wire._invalid_utf8, wire._fell_back = state.invalid_utf8, state.fell_back
        wire._told = wire._tells()
        wire.settings, wire.playing = state.settings, state.playing
        return wire

    def state(self) -> TelnetWireState:
        """A copy of everything that the wire remembers."""
        return TelnetWireState(
            telnet=self._telnet.state(),
            screen=self._screen.state(),
            packages=self._packages.state(),
            settings=self._settings,
            playing=self.playing,
            invalid_utf8=self._invalid_utf8,
            fell_back=self._fell_back,
        )

    @property
    def settled(self) -> bool:
        """Whether no terminal type and no environment is on its way."""
        return self._telnet.settled

    @property
    def told(self) -> Told:
        """What the client has told of itself."""
        return self._told

    @property
    def settings(self) -> Settings:
        """What the player chose."""
        return self._settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self._settings = settings
        self._screen.show_as(look_of(self._told, settings))

    @property
    def playing(self) -> bool:
        """Whether a game's prompts are shown, rather than the login's."""
        return self._screen.playing

    @playing.setter
    def playing(self, playing: bool) -> None:
        self._screen.playing = playing

    def begin(self) -> list[ClientEvent]:
        """Make the first offers; somebody is there at once."""
        self._telnet.begin()
        return [Opened()]

    def receive(self, data: bytes) -> list[ClientEvent]:
        """What `data` means, in order. Never raises. Replies are in `data_to_send` afterwards."""
        events: list[ClientEvent] = []
        for event in self._telnet.receive(data):
            if type(event) is Typed:
                self._typed(event.line, events)
            else:
                self._told_by_telnet(event, events)
        return events

    def show(self, held: Held) -> None:
        """Show a text, remember a prompt, or send a GMCP message that the client takes."""
        if held.text.gmcp is None:
            self._send(self._screen.show(held.text))
        elif self._packages.takes(held.text.gmcp[0]):
            self._telnet.send_gmcp(*held.text.gmcp)

    def end_burst(self) -> None:
        """Draw the prompt that is due; EOR or GA follows prompts and nothing else."""
        prompt, drawn = self._screen.end_burst()
        if prompt:
            self._send(prompt)
        if drawn and self._screen.look.goahead:
            self._telnet.end_prompt()

    def note(self, note: Note) -> None:
        """Of all notes, GMCP has a word for the end."""
        if isinstance(note, Bye):
            self._telnet.send_gmcp("Core.Goodbye", msgspec.json.encode(note.reason))

    def expect_utf8(self) -> None:
        """What the client sent so far that is not UTF-8 counts no more."""
        self._invalid_utf8 = self._fell_back = False
        self._retell([])

    def hide_input(self, hidden: bool) -> None:
        """Ask the client to stop (or start again) showing what is typed."""
        self._telnet.hide_input(hidden)

    def rest(self) -> str:
        """Take what waits for its page."""
        return self._screen.rest()

    def keepalive(self) -> None:
        """Send NOP to clients that negotiated telnet; to be called about every 30 s, whatever else was sent."""
        self._telnet.keepalive()

    def close(self) -> None:
        """Telnet has no goodbye of its own."""

    def asides(self) -> int:
        """Take how much came that was no line."""
        telnet = self._telnet
        count, telnet.asides = telnet.asides, 0
        return count

    def data_to_send(self) -> bytes:
        """Take the bytes for the client."""
        return self._telnet.data_to_send()

    # --- what comes in ---

    def _typed(self, line: bytes, events: list[ClientEvent]) -> None:
        typed = self._screen.typed(self._decoded(line, events), hidden=self._telnet.hidden)
        if typed.line is not None:
            events.append(Line(typed.line))
        else:  # the pager took it, and nobody else answers
            self._telnet.asides += ASIDES_PER_LINE
            self._send(typed.shown)
            self.end_burst()

    def _decoded(self, line: bytes, events: list[ClientEvent]) -> str:
        if self._screen.look.encoding == "latin-1" and not self._may_return:
            return line.decode("cp1252", "ignore")
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            return self._not_utf8(line, events)
        if self._invalid_utf8 and not line.isascii():
            self._invalid_utf8 = False
            self._retell(events)
        return text

    @property
    def _may_return(self) -> bool:
        """Whether the client is spoken to in Latin-1 for what it typed alone: then UTF-8 that it types counts, too."""
        return self._told.charset is None and self._settings.encoding in (None, UNSET)

    def _not_utf8(self, line: bytes, events: list[ClientEvent]) -> str:
        self._invalid_utf8 = True
        self._retell(events)
        encoding = self._screen.look.encoding
        if encoding == "latin-1" and not self._fell_back:
            self._fell_back = True
            events.append(EncodingFellBack())
        if encoding == "utf-8":  # agreed upon, or chosen
            return line.decode("utf-8", "replace")
        return line.decode("cp1252", "ignore")

    def _told_by_telnet(self, event: TelnetEvent, events: list[ClientEvent]) -> None:
        match event:
            case Changed():
                self._retell(events)
            case StatusAsked():
                self._telnet.send_status(self._status())
            case AreYouThere():
                self._send(self._screen.show(YES))  # the next burst brings the prompt, which may be long: one to many
            case Gmcp(package=package, body=body):
                self._gmcp(package, body, events)
            case Typed():
                raise AssertionError("lines have their own way")
            case _:
                events.append(event)

    def _gmcp(self, package: str, body: bytes, events: list[ClientEvent]) -> None:
        for outcome in self._packages.receive(package, body):
            match outcome:
                case Reply(package=package, body=body):
                    self._telnet.send_gmcp(package, body)
                case ToldMore():
                    self._retell(events)
                case _:
                    events.append(outcome)

    def _retell(self, events: list[ClientEvent]) -> None:
        """What was told may be different now, and with it how text looks."""
        told = self._tells()
        if told != self._told:
            self._told = told
            self._screen.show_as(look_of(told, self._settings))
            events.append(ToldMore())

    def _tells(self) -> Told:
        now = self._telnet.state()
        return told_of(
            (now.columns, now.rows),
            now.names,
            now.environ,
            now.charset,
            client=self._packages.client,
            invalid_utf8=self._invalid_utf8,
        )

    def _send(self, text: str) -> None:
        if text:
            self._telnet.send_data(encode(text, self._screen.look.encoding))
