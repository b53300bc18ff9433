"""Telnet as a state machine without any input or output of its own.

Bytes from the client go into `Telnet.receive`, which returns events; bytes for the client come out of
`Telnet.data_to_send`. No bytes make it raise. Everything it remembers is one plain struct, so a machine
can be exported after any byte and continued by another process.

What stands between the lines, options and their subnegotiations, is the business of `Negotiation`. Lines end with
CR LF, CR NUL, LF or a bare CR; the CR ends the line at once and swallows the LF or NUL that follows. They stay
bytes: which encoding they are in is for the wire to know. A line beyond its cap is dropped whole, never split.
A client that never ends a subnegotiation is told to be disconnected by `Ended`.

Known flaw: characters echoed by the server are not supported; clients in character mode see their own echo.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from perdure.gateway.gmcp import join_message
from perdure.gateway.telnet.codes import (
    AYT,
    BRK,
    CHARSET,
    DO,
    DONT,
    EC,
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
    SB,
    SE,
    SGA,
    TTYPE,
    WILL,
    WONT,
)
from perdure.gateway.telnet.negotiation import Negotiation
from perdure.gateway.telnet.options import status_body
from perdure.gateway.telnet.state import AreYouThere, TelnetEvent, TelnetState, Typed, copied
from perdure.gateway.wire import LINE_BYTES_MAX, Interrupt, LineTooLong

SUBNEGOTIATION_BYTES_MAX = 8192

_special = re.compile(rb"[\x00\x08\n\r\x7f\xff]")
_last_sequence = re.compile(rb"(?:[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf]{2})[\x80-\xbf]\Z")
_whole_line = re.compile(rb"([^\x00\x08\n\r\x7f\xff]{0,%d}+)\r?\n" % LINE_BYTES_MAX)


class Telnet:
    """One client's telnet, from our side. `begin` makes the first offers.

    Attributes:
        asides: What came that was no line: commands with their options and subnegotiations, erased characters,
            parts of lines. For the wire to take; nothing here depends on it.
    """

    def __init__(self) -> None:
        self.asides = 0
        self._go_on(TelnetState())

    @classmethod
    def from_state(cls, state: TelnetState) -> Telnet:
        """A machine that goes on where `state` was taken."""
        telnet = cls()
        telnet._go_on(state)
        return telnet

    def _go_on(self, state: TelnetState) -> None:
        self._now = copied(state)
        self._options = Negotiation(self._now)

    def state(self) -> TelnetState:
        """A copy of everything that the machine remembers."""
        return copied(self._now)

    @property
    def gmcp(self) -> bool:
        """Whether the client takes GMCP messages."""
        return self._now.us.get(GMCP) == "yes"

    @property
    def settled(self) -> bool:
        """Whether a client that negotiates has told its terminal types and its environment, or will not."""
        now = self._now
        types, environ = now.him.get(TTYPE), now.him.get(NEW_ENVIRON)
        waits = now.asked if types == "yes" else types == "want-yes"
        return not (now.negotiated and (waits or environ == "want-yes" or (environ == "yes" and now.environ_asked)))

    def begin(self) -> None:
        """Offer what we can do and ask for what we want to know."""
        for option in (NAWS, TTYPE, NEW_ENVIRON):
            self._options.want("him", option)
        for option in (EOR, CHARSET, MSSP, GMCP):
            self._options.want("us", option)

    @property
    def hidden(self) -> bool:
        """Whether the client was asked not to show what is typed."""
        return self._options.hidden

    def hide_input(self, hidden: bool) -> None:
        """Ask the client to stop (or start again) showing what is typed, by taking the echo over."""
        self._options.hide(hidden)

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
            self._options.send(GMCP, join_message(package, body))

    def send_status(self, variables: Mapping[str, str | list[str]]) -> None:
        """Append the server's status, as the answer to `StatusAsked`."""
        self._options.send(MSSP, status_body(variables))

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

    def receive(self, data: bytes) -> Iterator[TelnetEvent]:
        """What `data` means, in order. Replies are in `data_to_send` afterwards.

        Take every event: the machine reads on when the next one is asked for. So what is answered to an event, and
        what the machine says of itself meanwhile, do not depend on how much came at once.
        """
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
        """Handle a line, or data up to and with the first special byte; where to go on."""
        now = self._now
        at_start = not (now.line or now.dropping or now.after_cr)
        if at_start and (whole := _whole_line.match(data, start)):  # nearly all that clients ever send
            now.commands = now.subnegotiations = 0
            events.append(Typed(whole[1]))
            return whole.end()
        found = _special.search(data, start)
        end = found.start() if found else len(data)
        if end > start:
            self._typed(data[start:end])
        if not found:
            self.asides += 1
            return end
        byte = data[end]
        if byte == IAC:
            now.mode = "iac"
        elif byte in (0, 10) and now.after_cr:
            now.after_cr = False
        elif byte in (10, 13):
            self._end_line(events)
            now.after_cr = byte == 13
        else:
            self.asides += 1
            if byte != 0:
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
            self._options.received(now.command, byte, events)
        elif now.mode == "sub-iac" and byte == IAC:
            now.subnegotiation += b"\xff"
            now.mode = "sub"
            self.asides += 1
        elif now.mode == "sub-iac" and byte == SE:
            now.mode = "data"
            self._options.subnegotiated(now.subnegotiation, events)
            now.subnegotiation = b""
        else:
            # Any other command inside a subnegotiation ends it unread; the command counts.
            now.subnegotiation = b""
            self._plain_command(byte, events)

    def _plain_command(self, byte: int, events: list[TelnetEvent]) -> None:
        now = self._now
        now.mode = "data"
        self.asides += 1
        if byte in (WILL, WONT, DO, DONT):
            now.mode, now.command = "option", byte
        elif byte == SB:
            now.mode = "sub"
        elif byte == IAC:
            self._typed(b"\xff")
        elif byte in (IP, BRK) and self._options.count(events):
            events.append(Interrupt())
        elif byte == EC:
            self._erase()
        elif byte == EL:
            now.line = b""
        elif byte == AYT and self._options.count(events):
            events.append(AreYouThere())

    # --- subnegotiations ---

    def _subnegotiation(self, data: bytes, start: int, events: list[TelnetEvent]) -> int:
        """Collect up to the next IAC; where to go on."""
        now = self._now
        end = data.find(b"\xff", start)
        stop = len(data) if end < 0 else end
        if len(now.subnegotiation) + stop - start > SUBNEGOTIATION_BYTES_MAX:
            self._options.end(f"a telnet subnegotiation of more than {SUBNEGOTIATION_BYTES_MAX} bytes", events)
            return len(data)
        now.subnegotiation += data[start:stop]
        if end < 0:
            self.asides += 1
            return stop
        now.mode = "sub-iac"
        return end + 1
