"""Telnet as a state machine without any input or output of its own.

Bytes from the client go into `Telnet.receive`, which returns events; bytes for the client come out of
`Telnet.data_to_send`. No bytes make it raise. Everything it remembers is one plain struct, so a machine
can be exported after any byte and continued by another process.

Options are negotiated by the Q method (RFC 1143), one table for both sides; what is not wanted is refused:
LINEMODE, and compression (MCCP), which would have to be ended and begun again with every move of the socket.
Lines end with CR LF, CR NUL, LF or a bare CR; the CR ends the line at once and swallows the LF or NUL that
follows. They stay bytes: which encoding they are in is for the wire to know. A line beyond its cap is dropped
whole, never split. A client that negotiates without end, or never ends a subnegotiation, is told to be
disconnected by `Ended`; subnegotiations beyond their number are passed over.

Known flaw: characters echoed by the server are not supported; clients in character mode see their own echo.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import msgspec

from perdure.gateway.gmcp import join_message, split_message
from perdure.gateway.look import Encoding
from perdure.gateway.telnet_codes import (
    AYT,
    BRK,
    CHARSET,
    DO,
    DONT,
    EC,
    ECHO,
    EL,
    EOR,
    EOR_MARK,
    GA,
    GMCP,
    IAC,
    IP,
    MSSP,
    NAWS,
    NEW_ENVIRON,
    NOP,
    RECEIVED,
    SB,
    SE,
    SGA,
    TTYPE,
    WANTED,
    WILL,
    WONT,
    Q,
)
from perdure.gateway.telnet_options import (
    CHARSET_ACCEPTED,
    CHARSET_REJECTED,
    CHARSET_REQUEST,
    ENVIRON_SEND_ALL,
    NAME_CHARS_MAX,
    charset_chosen,
    charset_named,
    environ_variables,
    printable,
    status_body,
    window_size,
)
from perdure.gateway.wire import Ended, Interrupt, LineTooLong

LINE_BYTES_MAX = 4096
SUBNEGOTIATION_BYTES_MAX = 8192
COMMANDS_MAX = 256
"""Option commands (and AYT) answered without a line or a keepalive between them; honest clients need about 30."""
STATUS_COMMANDS = 16
"""What an answer by MSSP counts for: it is long."""
SUBNEGOTIATIONS_MAX = 1024
"""Read without a line or a keepalive between them: a window dragged about has some hundred sizes."""
NAMES_MAX = 4
"""Terminal types asked for. MTTS clients give three: client, terminal, capabilities; then the last again."""

US_WANTED = frozenset({ECHO, SGA, EOR, CHARSET, MSSP, GMCP})
HIM_WANTED = frozenset({SGA, TTYPE, NAWS, NEW_ENVIRON, CHARSET})
SIDES: dict[int, str] = {NAWS: "him", TTYPE: "him", NEW_ENVIRON: "him", CHARSET: "either", GMCP: "us"}
"""Who must do an option before its subnegotiations are read. CHARSET may be asked for by either side."""


class Typed(msgspec.Struct, frozen=True):
    """A line that the client typed, without its end, in whichever encoding."""

    line: bytes


class Changed(msgspec.Struct, frozen=True):
    """The client told something of itself: its window, terminal, environment or character set."""


class StatusAsked(msgspec.Struct, frozen=True):
    """The client wants the server's status: `send_status` answers."""


class Gmcp(msgspec.Struct, frozen=True):
    """A GMCP message. The body may be a password, so it is not shown."""

    package: str
    body: bytes

    def __repr__(self) -> str:
        return f"Gmcp({self.package!r}, {len(self.body)} bytes)"


TelnetEvent = Typed | LineTooLong | Changed | StatusAsked | Gmcp | Interrupt | Ended


class TelnetState(msgspec.Struct):
    """Everything that a `Telnet` remembers, as plain data. Its unread bytes may be a password's: it does not show.

    Attributes:
        mode: Where in the byte stream the next byte stands.
        command: The verb of an unfinished WILL, WONT, DO or DONT.
        line: Bytes of the unfinished line.
        dropping: The unfinished line is beyond its cap.
        after_cr: A CR just ended a line; a LF or NUL that follows belongs to it.
        subnegotiation: Bytes of the unfinished subnegotiation, its option first.
        us, him: Option -> state, for what we do and what the client does.
        negotiated: The client sent an option command: it is no bare socket.
        commands, subnegotiations: How many since the last line or keepalive.
        names: Terminal types named so far.
        asked: A terminal type was asked for and not yet named.
        columns, rows: Last window size, 0 = unsaid.
        environ: Variables of the client's environment, as `telnet_options.VARIABLES` knows them.
        charset: What was agreed upon by CHARSET.
        offering: Our offer of character sets is not answered yet.
        ended: Whether `Ended` was given out.
        out: Bytes not yet taken by `data_to_send`.
    """

    mode: Literal["data", "iac", "option", "sub", "sub-iac"] = "data"
    command: int = 0
    line: bytes = b""
    dropping: bool = False
    after_cr: bool = False
    subnegotiation: bytes = b""
    us: dict[int, Q] = {}
    him: dict[int, Q] = {}
    negotiated: bool = False
    commands: int = 0
    subnegotiations: int = 0
    names: list[str] = []
    asked: bool = False
    columns: int = 0
    rows: int = 0
    environ: dict[str, str] = {}
    charset: Encoding | None = None
    offering: bool = False
    ended: bool = False
    out: bytes = b""

    def __repr__(self) -> str:
        return f"TelnetState(mode={self.mode!r}, us={self.us}, him={self.him}, …)"


_special = re.compile(rb"[\x00\x08\n\r\x7f\xff]")
_last_sequence = re.compile(rb"(?:[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf]{2})[\x80-\xbf]\Z")
_whole_line = re.compile(rb"([^\x00\x08\n\r\x7f\xff]{0,%d})\r\n" % LINE_BYTES_MAX)


class Telnet:
    """One client's telnet, from our side. `begin` makes the first offers."""

    def __init__(self) -> None:
        self._now = TelnetState()

    @classmethod
    def from_state(cls, state: TelnetState) -> Telnet:
        """A machine that goes on where `state` was taken."""
        telnet = cls()
        telnet._now = _copied(state)
        return telnet

    def state(self) -> TelnetState:
        """A copy of everything that the machine remembers."""
        return _copied(self._now)

    @property
    def gmcp(self) -> bool:
        """Whether the client takes GMCP messages."""
        return self._now.us.get(GMCP) == "yes"

    def begin(self) -> None:
        """Offer what we can do and ask for what we want to know."""
        for option in (NAWS, TTYPE, NEW_ENVIRON):
            self._want("him", option, True)
        for option in (EOR, CHARSET, MSSP, GMCP):
            self._want("us", option, True)

    def hide_input(self, hidden: bool) -> None:
        """Ask the client to stop (or start again) showing what is typed, by taking the echo over."""
        self._want("us", ECHO, hidden)

    def send_data(self, data: bytes) -> None:
        """Append text in the client's encoding; its lines must already end with CR LF."""
        self._now.out += data.replace(b"\xff", b"\xff\xff")

    def end_prompt(self) -> None:
        """Mark what was just sent as a prompt, without which strict clients do not show an unfinished line.

        End of Record if negotiated, else Go Ahead unless suppressed (RFC 885, 854, 858).
        """
        if self._now.us.get(EOR) == "yes":
            self._now.out += bytes((IAC, EOR_MARK))
        elif self._now.us.get(SGA) != "yes":
            self._now.out += bytes((IAC, GA))

    def send_gmcp(self, package: str, body: bytes) -> None:
        """Append a GMCP message, if the client takes any."""
        if self.gmcp:
            self._send_sub(GMCP, join_message(package, body))

    def send_status(self, variables: Mapping[str, str | list[str]]) -> None:
        """Append the server's status, as the answer to `StatusAsked`."""
        self._send_sub(MSSP, status_body(variables))

    def keepalive(self) -> None:
        """Some time has passed: say nothing in telnet's way, to clients that speak it (RFC 854, NOP).

        What bounds a client's negotiating begins anew: its bounds are rates, and this is the clock.
        """
        self._now.commands = self._now.subnegotiations = 0
        if self._now.negotiated and not self._now.ended:
            self._now.out += bytes((IAC, NOP))

    def data_to_send(self) -> bytes:
        """Take the bytes for the client."""
        data, self._now.out = self._now.out, b""
        return data

    def receive(self, data: bytes) -> Iterable[TelnetEvent]:
        """What `data` means, in order. Replies are in `data_to_send` afterwards.

        Take every event: the machine reads on when the next one is asked for. So what is answered to an event, and
        what the machine says of itself meanwhile, do not depend on how much came at once.
        """
        now = self._now
        idle = now.mode == "data" and not now.line and not now.dropping and not now.ended
        if idle and (found := _whole_line.fullmatch(data)):  # nearly all that clients ever send
            now.after_cr, now.commands, now.subnegotiations = False, 0, 0
            return (Typed(found[1]),)
        return self._read(data)

    def _read(self, data: bytes) -> Iterator[TelnetEvent]:
        now = self._now
        events: list[TelnetEvent] = []
        at = 0
        while at < len(data) and not now.ended:
            if now.mode == "data":
                at = self._data(data, at, events)
            elif now.mode == "sub":
                at = self._subnegotiation(data, at, events)
            else:
                self._command(data[at], events)
                at += 1
            yield from events
            events.clear()

    # --- data: lines ---

    def _data(self, data: bytes, start: int, events: list[TelnetEvent]) -> int:
        """Handle data up to and with the first special byte; where to go on."""
        found = _special.search(data, start)
        end = found.start() if found else len(data)
        if end > start:
            self._typed(data[start:end])
        if not found:
            return end
        byte = data[end]
        now = self._now
        if byte == IAC:
            now.mode = "iac"
        elif byte in (0, 10) and now.after_cr:
            now.after_cr = False
        elif byte in (10, 13):
            self._end_line(events)
            now.after_cr = byte == 13
        elif byte != 0:
            now.after_cr = False
            self._erase()
        return end + 1

    def _typed(self, data: bytes) -> None:
        now = self._now
        now.after_cr = False
        if now.dropping:
            return
        now.line += data
        if len(now.line) > LINE_BYTES_MAX:
            now.dropping, now.line = True, b""

    def _end_line(self, events: list[TelnetEvent]) -> None:
        now = self._now
        if now.dropping:
            events.append(LineTooLong())
        else:
            events.append(Typed(now.line))
        now.line, now.dropping, now.commands, now.subnegotiations = b"", False, 0, 0

    def _erase(self) -> None:
        """Take back the last character: a UTF-8 sequence if the line ends with one, else a byte."""
        line = self._now.line
        found = _last_sequence.search(line, max(len(line) - 4, 0))
        self._now.line = line[: found.start() if found else -1]

    # --- commands and options ---

    def _command(self, byte: int, events: list[TelnetEvent]) -> None:
        """Handle one byte of a command: after an IAC, an option's number, or an IAC in a subnegotiation."""
        now = self._now
        if now.mode == "option":
            now.mode = "data"
            self._option(now.command, byte, events)
        elif now.mode == "sub-iac" and byte == IAC:
            now.subnegotiation += b"\xff"
            now.mode = "sub"
        elif now.mode == "sub-iac" and byte == SE:
            now.mode = "data"
            self._subnegotiated(now.subnegotiation, events)
            now.subnegotiation = b""
        else:
            # Any other command inside a subnegotiation ends it unread; the command counts.
            now.subnegotiation = b""
            self._plain_command(byte, events)

    def _plain_command(self, byte: int, events: list[TelnetEvent]) -> None:
        now = self._now
        now.mode = "data"
        if byte in (WILL, WONT, DO, DONT):
            now.mode, now.command = "option", byte
        elif byte == SB:
            now.mode = "sub"
        elif byte == IAC:
            self._typed(b"\xff")
        elif byte in (IP, BRK):
            events.append(Interrupt())
        elif byte == EC:
            self._erase()
        elif byte == EL:
            now.line = b""
        elif byte == AYT and self._count(events):
            now.out += b"\r\n[Yes]\r\n"

    def _count(self, events: list[TelnetEvent], commands: int = 1) -> bool:
        """Count what wants an answer; False (and ended) beyond the bound."""
        self._now.commands += commands
        if self._now.commands <= COMMANDS_MAX:
            return True
        self._end("too many telnet option commands", events)
        return False

    def _end(self, reason: str, events: list[TelnetEvent]) -> None:
        now = self._now
        now.ended, now.mode, now.line, now.subnegotiation = True, "data", b"", b""
        events.append(Ended(reason))

    def _option(self, verb: int, option: int, events: list[TelnetEvent]) -> None:
        self._now.negotiated = True
        if not self._count(events):
            return
        ours = verb in (DO, DONT)
        states = self._now.us if ours else self._now.him
        state = states.get(option, "no")
        said_yes = verb in (DO, WILL)
        after: Q
        answer: bool | None
        if state == "no" and said_yes:
            wanted = option in (US_WANTED if ours else HIM_WANTED)
            after, answer = ("yes", True) if wanted else ("no", False)
        else:
            after, answer = RECEIVED[state, said_yes]
        self._become("us" if ours else "him", option, after, answer)
        if after == "yes" and state != "yes":
            self._agreed("us" if ours else "him", option, events)

    def _agreed(self, side: Literal["us", "him"], option: int, events: list[TelnetEvent]) -> None:
        """An option is on from here: ask what it is there for."""
        now = self._now
        if side == "him" and option == TTYPE:
            now.names = []
            self._ask_terminal_type()
        elif side == "him" and option == NEW_ENVIRON:
            self._send_sub(NEW_ENVIRON, ENVIRON_SEND_ALL)
        elif side == "us" and option == CHARSET:
            now.offering = True
            self._send_sub(CHARSET, CHARSET_REQUEST)
        elif side == "us" and option == MSSP and self._count(events, STATUS_COMMANDS):
            events.append(StatusAsked())

    def _want(self, side: Literal["us", "him"], option: int, on: bool) -> None:
        states = self._now.us if side == "us" else self._now.him
        self._become(side, option, *WANTED[states.get(option, "no"), on])

    def _become(self, side: Literal["us", "him"], option: int, after: Q, send: bool | None) -> None:
        states = self._now.us if side == "us" else self._now.him
        if after == "no":
            states.pop(option, None)
        else:
            states[option] = after
        if send is not None:
            yes, no = (WILL, WONT) if side == "us" else (DO, DONT)
            self._now.out += bytes((IAC, yes if send else no, option))

    # --- subnegotiations ---

    def _subnegotiation(self, data: bytes, start: int, events: list[TelnetEvent]) -> int:
        """Collect up to the next IAC; where to go on."""
        now = self._now
        end = data.find(b"\xff", start)
        stop = len(data) if end < 0 else end
        if len(now.subnegotiation) + stop - start > SUBNEGOTIATION_BYTES_MAX:
            self._end(f"a telnet subnegotiation of more than {SUBNEGOTIATION_BYTES_MAX} bytes", events)
            return len(data)
        now.subnegotiation += data[start:stop]
        if end < 0:
            return stop
        now.mode = "sub-iac"
        return end + 1

    def _subnegotiated(self, body: bytes, events: list[TelnetEvent]) -> None:
        """Read a whole subnegotiation; one that was not negotiated, or makes no sense, is ignored."""
        now = self._now
        option = body[0] if body else -1
        if not self._allowed(option) or now.subnegotiations >= SUBNEGOTIATIONS_MAX:
            return
        now.subnegotiations += 1
        if option == NAWS:
            self._sized(body[1:], events)
        elif option == TTYPE and body[1:2] == b"\x00" and now.asked:
            self._named(body[2:], events)
        elif option == NEW_ENVIRON and body[1:2] in (b"\x00", b"\x02"):
            self._environed(body[2:], events)
        elif option == CHARSET:
            self._charset(body[1:2], body[2:], events)
        elif option == GMCP and (message := split_message(body[1:])) is not None:
            events.append(Gmcp(*message))

    def _allowed(self, option: int) -> bool:
        side = SIDES.get(option, "")
        us, him = self._now.us.get(option) == "yes", self._now.him.get(option) == "yes"
        return us if side == "us" else him if side == "him" else side == "either" and (us or him)

    def _sized(self, body: bytes, events: list[TelnetEvent]) -> None:
        now = self._now
        size = window_size(body)
        if size is not None and size != (now.columns, now.rows):
            now.columns, now.rows = size
            events.append(Changed())

    def _named(self, name: bytes, events: list[TelnetEvent]) -> None:
        now = self._now
        now.asked = False
        text = printable(name, NAME_CHARS_MAX)
        if not text or text in now.names:
            return  # RFC 1091: the last one again means that there are no more
        now.names = [*now.names, text]
        events.append(Changed())
        if len(now.names) < NAMES_MAX:
            self._ask_terminal_type()

    def _ask_terminal_type(self) -> None:
        self._now.asked = True
        self._send_sub(TTYPE, b"\x01")

    def _environed(self, body: bytes, events: list[TelnetEvent]) -> None:
        """IS or INFO: variables that the client has, has changed, or has no longer."""
        environ = dict(self._now.environ)
        for name, value in environ_variables(body):
            if value is None:
                environ.pop(name, None)
            else:
                environ[name] = value
        if environ != self._now.environ:
            self._now.environ = environ
            events.append(Changed())

    def _charset(self, kind: bytes, body: bytes, events: list[TelnetEvent]) -> None:
        """RFC 2066. Of two requests that cross, the server's counts and the client's is rejected."""
        now = self._now
        if kind == b"\x01":
            chosen = None if now.offering else charset_chosen(body)
            self._send_sub(CHARSET, CHARSET_REJECTED if chosen is None else CHARSET_ACCEPTED + chosen[0])
            if chosen is not None:
                self._speaks(chosen[1], events)
        elif kind == CHARSET_ACCEPTED and now.offering:
            now.offering = False
            self._speaks(charset_named(body), events)
        elif kind == CHARSET_REJECTED:
            now.offering = False
        elif kind == b"\x04":  # TTABLE-IS: a table that nobody asked for
            self._send_sub(CHARSET, b"\x05")

    def _speaks(self, charset: Encoding | None, events: list[TelnetEvent]) -> None:
        if charset != self._now.charset:
            self._now.charset = charset
            events.append(Changed())

    def _send_sub(self, option: int, body: bytes) -> None:
        self._now.out += bytes((IAC, SB, option)) + body.replace(b"\xff", b"\xff\xff") + bytes((IAC, SE))


def _copied(state: TelnetState) -> TelnetState:
    """Names and environment are replaced, never changed; the options' states are."""
    return msgspec.structs.replace(state, us=dict(state.us), him=dict(state.him))
