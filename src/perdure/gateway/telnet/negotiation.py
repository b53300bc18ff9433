"""Negotiation: which options are on, by the Q method (RFC 1143), and what is said about those that are.

One table serves both sides. What is not wanted is refused: LINEMODE, and compression (MCCP), which would have
to be ended and begun again with every move of the socket. Each answer is counted: a client that negotiates
without end is told to be disconnected, and subnegotiations beyond their number are passed over.

ECHO has a rule of its own, as it goes on and off with each password, and some clients obey and never answer: what
was said last is what we want, whoever has answered what. Nothing that comes late can turn it around: while input is
hidden, no answer is answered, and while it is not, whoever wants us to echo is told that we won't.
"""

from __future__ import annotations

from typing import Literal

from perdure.gateway.gmcp import split_message
from perdure.gateway.look import Encoding
from perdure.gateway.telnet.codes import (
    CHARSET,
    DO,
    DONT,
    ECHO,
    EOR,
    GMCP,
    IAC,
    MSSP,
    NAWS,
    NEW_ENVIRON,
    RECEIVED,
    SB,
    SE,
    SGA,
    TTYPE,
    WILL,
    WONT,
    Q,
)
from perdure.gateway.telnet.options import (
    CHARSET_ACCEPTED,
    CHARSET_REJECTED,
    CHARSET_REQUEST,
    ENVIRON_SEND_ALL,
    NAME_CHARS_MAX,
    charset_chosen,
    charset_named,
    environ_variables,
    printable,
    window_size,
)
from perdure.gateway.telnet.state import Changed, Gmcp, StatusAsked, TelnetEvent, TelnetState
from perdure.gateway.wire import Ended

COMMANDS_MAX = 256
"""Commands answered without a line or a keepalive between them: options, AYT, IP. Honest clients need about 30."""
STATUS_COMMANDS = 16
"""What an answer by MSSP counts for: it is long."""
SUBNEGOTIATIONS_MAX = 1024
"""Read without a line or a keepalive between them: a window dragged about has some hundred sizes."""
NAMES_MAX = 4
"""Terminal types asked for. MTTS clients give three: client, terminal, capabilities; then the last again."""

US_WANTED = frozenset({SGA, EOR, CHARSET, MSSP, GMCP})
HIM_WANTED = frozenset({SGA, TTYPE, NAWS, NEW_ENVIRON, CHARSET})
SIDES: dict[int, str] = {NAWS: "him", TTYPE: "him", NEW_ENVIRON: "him", CHARSET: "either", GMCP: "us"}
"""Who must do an option before its subnegotiations are read. CHARSET may be asked for by either side."""


class Negotiation:
    """The options of one client, from our side.

    Args:
        now: The machine's state; what concerns options is changed here.
    """

    def __init__(self, now: TelnetState) -> None:
        self._now = now

    def want(self, side: Literal["us", "him"], option: int) -> None:
        """Offer an option, or ask for it."""
        self._become(side, option, "want-yes", True)

    @property
    def hidden(self) -> bool:
        """Whether we said that we echo."""
        return ECHO in self._now.us

    def hide(self, hidden: bool) -> None:
        """Say that we echo, which hides what is typed since we don't; or that we don't any more (RFC 857)."""
        if hidden != self.hidden:
            self._become("us", ECHO, "yes" if hidden else "no", hidden)

    def received(self, verb: int, option: int, events: list[TelnetEvent]) -> None:
        """The client sent WILL, WONT, DO or DONT."""
        self._now.negotiated = True
        if not self.count(events):
            return
        ours = verb in (DO, DONT)
        if ours and option == ECHO:
            if verb == DO and ECHO not in self._now.us:
                self._become("us", ECHO, "no", False)
            return
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
            if now.names:
                now.names = []
                events.append(Changed())
            self._ask_terminal_type()
        elif side == "him" and option == NEW_ENVIRON:
            now.environ_asked = True
            self.send(NEW_ENVIRON, ENVIRON_SEND_ALL)
        elif side == "us" and option == CHARSET:
            now.offering = True
            self.send(CHARSET, CHARSET_REQUEST)
        elif side == "us" and option == MSSP and self.count(events, STATUS_COMMANDS):
            events.append(StatusAsked())

    def _become(self, side: Literal["us", "him"], option: int, after: Q, send: bool | None) -> None:
        states = self._now.us if side == "us" else self._now.him
        if after == "no":
            states.pop(option, None)
        else:
            states[option] = after
        if send is not None:
            yes, no = (WILL, WONT) if side == "us" else (DO, DONT)
            self._now.out += bytes((IAC, yes if send else no, option))

    def subnegotiated(self, body: bytes, events: list[TelnetEvent]) -> None:
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
        self.send(TTYPE, b"\x01")

    def _environed(self, body: bytes, events: list[TelnetEvent]) -> None:
        """IS or INFO: variables that the client has, has changed, or has no longer."""
        self._now.environ_asked = False
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
            self.send(CHARSET, CHARSET_REJECTED if chosen is None else CHARSET_ACCEPTED + chosen[0])
            if chosen is not None:
                self._speaks(chosen[1], events)
        elif kind == CHARSET_ACCEPTED and now.offering:
            now.offering = False
            self._speaks(charset_named(body), events)
        elif kind == CHARSET_REJECTED:
            now.offering = False
        elif kind == b"\x04":  # TTABLE-IS: a table that nobody asked for
            self.send(CHARSET, b"\x05")

    def _speaks(self, charset: Encoding | None, events: list[TelnetEvent]) -> None:
        if charset != self._now.charset:
            self._now.charset = charset
            events.append(Changed())

    def send(self, option: int, body: bytes) -> None:
        """Append a subnegotiation."""
        self._now.out += bytes((IAC, SB, option)) + body.replace(b"\xff", b"\xff\xff") + bytes((IAC, SE))

    def count(self, events: list[TelnetEvent], commands: int = 1) -> bool:
        """Count what wants an answer; False (and ended) beyond the bound."""
        self._now.commands += commands
        if self._now.commands <= COMMANDS_MAX:
            return True
        self.end("too many telnet commands", events)
        return False

    def end(self, reason: str, events: list[TelnetEvent]) -> None:
        """The client broke a bound: nothing that it sends is read from here."""
        now = self._now
        now.ended, now.mode, now.line, now.subnegotiation = True, "data", b"", b""
        events.append(Ended(reason))
