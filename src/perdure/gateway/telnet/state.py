"""What the telnet machine says and what it remembers: its events, and one plain struct for all the rest."""

from __future__ import annotations

from typing import Literal

import msgspec

from perdure.gateway.look import Encoding
from perdure.gateway.telnet.codes import Q
from perdure.gateway.wire import Ended, Interrupt, LineTooLong


class Typed(msgspec.Struct, frozen=True):
    """A line that the client typed, without its end, in whichever encoding. It may be a password, so it hides."""

    line: bytes

    def __repr__(self) -> str:
        return f"Typed({len(self.line)} bytes)"


class Changed(msgspec.Struct, frozen=True):
    """The client told something of itself: its window, terminal, environment or character set."""


class StatusAsked(msgspec.Struct, frozen=True):
    """The client wants the server's status: `send_status` answers."""


class AreYouThere(msgspec.Struct, frozen=True):
    """The client wants to see something (RFC 854, AYT)."""


class Gmcp(msgspec.Struct, frozen=True):
    """A GMCP message. The body may be a password, so it is not shown."""

    package: str
    body: bytes

    def __repr__(self) -> str:
        return f"Gmcp({self.package!r}, {len(self.body)} bytes)"


TelnetEvent = Typed | LineTooLong | Changed | StatusAsked | AreYouThere | Gmcp | Interrupt | Ended


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
        environ_asked: The environment was asked for and not yet told.
        columns, rows: Last window size, 0 = unsaid.
        environ: Variables of the client's environment, as `options.VARIABLES` knows them.
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
    environ_asked: bool = False
    columns: int = 0
    rows: int = 0
    environ: dict[str, str] = {}
    charset: Encoding | None = None
    offering: bool = False
    ended: bool = False
    out: bytes = b""

    def __repr__(self) -> str:
        return f"TelnetState(mode={self.mode!r}, us={self.us}, him={self.him}, …)"


def copied(state: TelnetState) -> TelnetState:
    """Names and environment are replaced, never changed; the options' states are."""
    return msgspec.structs.replace(state, us=dict(state.us), him=dict(state.him))
