"""Telnet as a state machine without any input or output of its own.

Bytes from the client go into `Telnet.receive`, which returns events; bytes for the client come out of
`Telnet.data_to_send`. No bytes make it raise. Everything it remembers is one plain struct, so a machine
can be exported after any byte and continued by another process.

Options are negotiated by the Q method (RFC 1143), one table for both sides. Lines end with CR LF, CR NUL,
LF or a bare CR; the CR ends the line at once and swallows the LF or NUL that follows. Text is UTF-8, and
invalid bytes become U+FFFD. A line beyond its cap is dropped whole, never split. A client that negotiates
without end, or never ends a subnegotiation, is told to be disconnected by `Ended`.

Known flaw: characters echoed by the server are not supported; clients in character mode see their own echo.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

IAC, DONT, DO, WONT, WILL, SB, GA = 255, 254, 253, 252, 251, 250, 249
EL, EC, AYT, IP, BRK, SE, EOR_MARK = 248, 247, 246, 244, 243, 240, 239  # RFC 854, RFC 885
ECHO, SGA, TTYPE, EOR, NAWS = 1, 3, 24, 25, 31  # RFC 857, 858, 1091, 885, 1073

LINE_BYTES_MAX = 4096
SUBNEGOTIATION_BYTES_MAX = 8192
COMMANDS_MAX = 256
"""Option commands (and AYT) answered without a line between them; honest clients need about 20."""
NAMES_MAX = 4
"""Terminal types asked for. MTTS clients give three: client, terminal, capabilities; then the last again."""
NAME_CHARS_MAX = 40  # RFC 1091 allows 40
SIZE_MAX = 1000
"""Columns and rows are clamped to it: no game is made to draw 65,535 columns."""

US_WANTED = frozenset({ECHO, SGA, EOR})
HIM_WANTED = frozenset({SGA, TTYPE, NAWS})

Q = Literal["no", "yes", "want-no", "want-no-opposite", "want-yes", "want-yes-opposite"]
"""RFC 1143, section 7: the state and its queue bit in one word. An option that is not listed is "no"."""

# (state, the peer says yes?) -> (state, answer). For an offer of what is off, `_option` decides.
RECEIVED: dict[tuple[Q, bool], tuple[Q, bool | None]] = {
    ("no", False): ("no", None),
    ("yes", True): ("yes", None),
    ("yes", False): ("no", False),
    ("want-no", True): ("no", None),
    ("want-no", False): ("no", None),
    ("want-no-opposite", True): ("yes", None),
    ("want-no-opposite", False): ("want-yes", True),
    ("want-yes", True): ("yes", None),
    ("want-yes", False): ("no", None),
    ("want-yes-opposite", True): ("want-no", False),
    ("want-yes-opposite", False): ("no", None),
}
# (state, we want yes?) -> (state, what to send).
WANTED: dict[tuple[Q, bool], tuple[Q, bool | None]] = {
    ("no", True): ("want-yes", True),
    ("no", False): ("no", None),
    ("yes", True): ("yes", None),
    ("yes", False): ("want-no", False),
    ("want-no", True): ("want-no-opposite", None),
    ("want-no", False): ("want-no", None),
    ("want-no-opposite", True): ("want-no-opposite", None),
    ("want-no-opposite", False): ("want-no", None),
    ("want-yes", True): ("want-yes", None),
    ("want-yes", False): ("want-yes-opposite", None),
    ("want-yes-opposite", True): ("want-yes", None),
    ("want-yes-opposite", False): ("want-yes-opposite", None),
}


class Line(msgspec.Struct, frozen=True):
    """A line that the client typed, without its end; not yet cleaned of control characters."""

    text: str


class LineTooLong(msgspec.Struct, frozen=True):
    """A line beyond `LINE_BYTES_MAX` ended; nothing of it is kept."""


class WindowSize(msgspec.Struct, frozen=True):
    """The client's window has a new size, in characters."""

    columns: int
    rows: int


class TerminalType(msgspec.Struct, frozen=True):
    """The client named one more of its terminal types (printable ASCII)."""

    name: str


class Interrupt(msgspec.Struct, frozen=True):
    """The client sent Interrupt Process or Break."""


class Ended(msgspec.Struct, frozen=True):
    """The client broke a bound; disconnect it. The machine ignores everything after this."""

    reason: str


TelnetEvent = Line | LineTooLong | WindowSize | TerminalType | Interrupt | Ended


class TelnetState(msgspec.Struct):
    """Everything that a `Telnet` remembers, as plain data.

    Attributes:
        mode: Where in the byte stream the next byte stands.
        command: The verb of an unfinished WILL, WONT, DO or DONT.
        line: Bytes of the unfinished line.
        dropping: The unfinished line is beyond its cap.
        after_cr: A CR just ended a line; a LF or NUL that follows belongs to it.
        subnegotiation: Bytes of the unfinished subnegotiation, its option first.
        us, him: Option -> state, for what we do and what the client does.
        commands: Option commands since the last line.
        names: Terminal types named so far.
        asked: A terminal type was asked for and not yet named.
        columns, rows: Last window size, 0 before the first.
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
    commands: int = 0
    names: list[str] = []
    asked: bool = False
    columns: int = 0
    rows: int = 0
    ended: bool = False
    out: bytes = b""


_special = re.compile(rb"[\x00\x08\n\r\x7f\xff]")


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

    def begin(self) -> None:
        """Offer what we can do and ask for what we want to know."""
        self._want("him", NAWS, True)
        self._want("him", TTYPE, True)
        self._want("us", EOR, True)

    def hide_input(self, hidden: bool) -> None:
        """Ask the client to stop (or start again) showing what is typed, by taking the echo over."""
        self._want("us", ECHO, hidden)

    def send_text(self, text: str) -> None:
        """Append text as it is; its lines must already end with CR LF."""
        self._now.out += encode_text(text)

    def end_burst(self) -> None:
        """Mark the end of a burst of text, so that clients show an unfinished last line as a prompt.

        End of Record if negotiated, else Go Ahead unless suppressed (RFC 885, 854, 858).
        """
        if self._now.us.get(EOR) == "yes":
            self._now.out += bytes((IAC, EOR_MARK))
        elif self._now.us.get(SGA) != "yes":
            self._now.out += bytes((IAC, GA))

    def data_to_send(self) -> bytes:
        """Take the bytes for the client."""
        data, self._now.out = self._now.out, b""
        return data

    def receive(self, data: bytes) -> list[TelnetEvent]:
        """What `data` means, in order. Replies are in `data_to_send` afterwards."""
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
        return events

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
            events.append(Line(now.line.decode("utf-8", "replace")))
        now.line, now.dropping, now.commands = b"", False, 0

    def _erase(self) -> None:
        """Take back the last character: a UTF-8 lead byte with what continues it."""
        line = self._now.line
        end = len(line) - 1
        while end > 0 and line[end] & 0xC0 == 0x80:
            end -= 1
        self._now.line = line[: max(end, 0)]

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

    def _count(self, events: list[TelnetEvent]) -> bool:
        """Count a command that wants an answer; False (and ended) beyond the bound."""
        self._now.commands += 1
        if self._now.commands <= COMMANDS_MAX:
            return True
        self._end("too many telnet option commands", events)
        return False

    def _end(self, reason: str, events: list[TelnetEvent]) -> None:
        now = self._now
        now.ended, now.mode, now.line, now.subnegotiation = True, "data", b"", b""
        events.append(Ended(reason))

    def _option(self, verb: int, option: int, events: list[TelnetEvent]) -> None:
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
        if not ours and option == TTYPE and after == "yes" and state != "yes":
            self._now.names = []
            self._ask_terminal_type()

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
        if now.him.get(option) != "yes":
            return
        if option == NAWS and len(body) == 5:
            size = _size(body, 1, 80), _size(body, 3, 24)
            if size != (now.columns, now.rows):
                now.columns, now.rows = size
                events.append(WindowSize(*size))
        elif option == TTYPE and body[1:2] == b"\x00" and now.asked:
            self._named(body[2:], events)

    def _named(self, name: bytes, events: list[TelnetEvent]) -> None:
        now = self._now
        now.asked = False
        text = "".join(chr(byte) for byte in name[:NAME_CHARS_MAX] if 32 <= byte < 127)
        if not text or text in now.names:
            return  # RFC 1091: the last one again means that there are no more
        now.names = [*now.names, text]
        events.append(TerminalType(text))
        if len(now.names) < NAMES_MAX:
            self._ask_terminal_type()

    def _ask_terminal_type(self) -> None:
        self._now.asked = True
        self._now.out += bytes((IAC, SB, TTYPE, 1, IAC, SE))


def encode_text(text: str) -> bytes:
    """Text as telnet carries it. UTF-8 has no byte 255, so nothing needs doubling."""
    return text.encode("utf-8", "replace")


def _size(body: bytes, start: int, default: int) -> int:
    """A size of NAWS; 0 means that the client does not say (RFC 1073)."""
    return min(int.from_bytes(body[start : start + 2], "big"), SIZE_MAX) or default


def _copied(state: TelnetState) -> TelnetState:
    return msgspec.structs.replace(state, us=dict(state.us), him=dict(state.him), names=list(state.names))
