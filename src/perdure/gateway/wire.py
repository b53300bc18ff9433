"""A wire: how one kind of client is spoken to, without input or output.

Bytes from the client go into `receive`, which returns events; what is to be shown goes into `show`; bytes for
the client come out of `data_to_send`. Telnet and the web are two kinds; the gateway knows only this page.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from perdure.gateway.look import Settings, Told
from perdure.gateway.secret import Secret
from perdure.room.record import Text

LINE_BYTES_MAX = 4096
"""Of a line that a client types; a longer one is dropped whole."""
SIZE_MAX = 1000
"""Columns and rows are clamped to it: no game is made to draw 65,535 columns."""
ASIDES_PER_LINE = 100
"""An address may send so many asides for each line that it may type: they take some 1 to 20 µs each."""

# --- what a client does ---


class Opened(msgspec.Struct, frozen=True):
    """There is somebody to greet. No event comes before it; a wire that serves a file never gives it.

    Attributes:
        forwarded: The address that a trusted proxy named, "" without one.
        token: The reconnect token of a session to go on with; "" for a new one.
        last: Serial of the last thing that the client has of that session, 0 for nothing.
    """

    forwarded: str = ""
    token: str = ""
    last: int = 0


class Line(msgspec.Struct, frozen=True):
    """A line that the client typed, without its end; not yet cleaned of control characters. It may be a password.

    Attributes:
        n: The client's own number of the line, rising from 1 in each session; 0 if it does not count.
    """

    text: str
    n: int = 0

    def __repr__(self) -> str:
        return f"Line({len(self.text)} characters, n={self.n})"


class LineTooLong(msgspec.Struct, frozen=True):
    """A line beyond its cap ended; nothing of it is kept. `n` as of a `Line`: who numbers lines was told already."""

    n: int = 0


class ToldMore(msgspec.Struct, frozen=True):
    """The client told something of itself: `told` of its wire has changed."""


class PackagesWanted(msgspec.Struct, frozen=True):
    """The client takes other GMCP packages than before: it wants to know how things stand.

    Attributes:
        login: Whether it has just said that it can log in by itself.
    """

    login: bool = False


class EncodingFellBack(msgspec.Struct, frozen=True):
    """The client sent what is not UTF-8, and is spoken to in Latin-1 from here; given once."""


class Interrupt(msgspec.Struct, frozen=True):
    """The client wants out of what it is being asked."""


class Credentials(msgspec.Struct, frozen=True):
    """The client logs in by itself (GMCP Char.Login.Credentials)."""

    name: str
    password: Secret


class Acked(msgspec.Struct, frozen=True):
    """The client has everything up to this serial. Only wires that acknowledge give it."""

    serial: int


class Confirmed(msgspec.Struct, frozen=True):
    """The client has stored its reconnect token number n."""

    n: int


class SettingsWanted(msgspec.Struct, frozen=True):
    """The client's own settings page changed these; what is unset stays as it was."""

    settings: Settings


class Ended(msgspec.Struct, frozen=True):
    """The client broke a bound, or closed in its protocol's way; disconnect it.

    The wire ignores everything after this. `reason` is "" for an orderly end.
    """

    reason: str


ClientEvent = (
    Opened
    | Line
    | LineTooLong
    | ToldMore
    | PackagesWanted
    | EncodingFellBack
    | Interrupt
    | Credentials
    | Acked
    | Confirmed
    | SettingsWanted
    | Ended
)

# --- what a client is told beside texts ---


class Took(msgspec.Struct, frozen=True):
    """Lines up to the client's number n are taken: it need not send them again."""

    n: int


class Token(msgspec.Struct, frozen=True):
    """With this token, number n, the session `name` can be gone on with after a loss of network."""

    n: int
    token: str
    name: str


class Resumed(msgspec.Struct, frozen=True):
    """The session goes on.

    Attributes:
        missed: How many texts follow that the client has not had.
        took: Number of the client's last line that was taken.
    """

    missed: int
    took: int


class Refused(msgspec.Struct, frozen=True):
    """The session cannot be gone on with, for this reason; a new one begins."""

    reason: str


class Misnumbered(msgspec.Struct, frozen=True):
    """Line n was not taken: it came before the line number `due`."""

    n: int
    due: int


class Bye(msgspec.Struct, frozen=True):
    """The connection ends, and connecting again by itself would be wrong."""

    reason: str


class Stopping(msgspec.Struct, frozen=True):
    """The server stops, and all sessions end: whoever comes again has to wait for it, and to log in."""


Note = Took | Token | Resumed | Refused | Misnumbered | Bye | Stopping


KEPT_BYTES = 128
"""What keeping a text costs beside its characters."""


class Held(msgspec.Struct):
    """Something for a session's client. It never changes.

    Attributes:
        serial: Its place among all that the session's clients were ever given, from 1.
        j, m: Which output of which seat it is; m = 0 is outside the seat's numbering.
        text: What.
        again: Whether the client may have had it before: a page that was loaded anew gets its last lines again.
        size_bytes: About how much it takes to keep; follows from the text.
        notice: Whether it is a text outside the numbering; likewise.
    """

    serial: int
    j: int
    m: int
    text: Text
    again: bool = False
    size_bytes: int = 0
    notice: bool = False

    def __post_init__(self) -> None:
        text = self.text
        self.notice = self.m == 0 and text.text != ""
        self.size_bytes = KEPT_BYTES + len(text.text)
        if text.prompt is not None:
            self.size_bytes += len(text.prompt)
        elif text.gmcp is not None:
            self.size_bytes += len(text.gmcp[1])


class Wire(Protocol):
    """One client's protocol.

    Attributes:
        transport: telnet or web.
        acknowledges: Whether `Acked` tells what the client has; else what the socket has taken is taken for shown.
        framed: Whether texts are sent in frames, of which half would break all that follows.
        told: What the client has told of itself.
        settings: What its player chose; the gateway sets it.
        playing: Whether a game's prompts are shown, rather than the login's; the gateway sets it.
    """

    transport: str
    acknowledges: bool
    framed: bool
    settings: Settings
    playing: bool

    @property
    def told(self) -> Told: ...
    @property
    def settled(self) -> bool:
        """Whether the client has told of itself what it was asked for; True for one that negotiates nothing."""
        ...

    def begin(self) -> list[ClientEvent]:
        """The connection is made: offers go out, and a telnet client is `Opened` at once."""
        ...

    def receive(self, data: bytes) -> list[ClientEvent]:
        """What `data` means, in order. Never raises. Replies are in `data_to_send` afterwards."""
        ...

    def show(self, held: Held) -> None:
        """Show this: text, then a prompt or a GMCP message, whichever it has."""
        ...

    def end_burst(self) -> None:
        """For now nothing more is shown: a prompt that stands behind the text is due."""
        ...

    def note(self, note: Note) -> None:
        """Tell the client's program something; a wire without words for it does nothing."""
        ...

    def expect_utf8(self) -> None:
        """The player chose an encoding, or none: what the client sent so far that is not UTF-8 counts no more."""
        ...

    def hide_input(self, hidden: bool) -> None:
        """Ask the client to stop (or start again) showing what is typed."""
        ...

    def rest(self) -> str:
        """Take what a long text has left that was not shown yet."""
        ...

    def keepalive(self) -> None:
        """Nothing was said for a while: keep whatever is in between awake."""
        ...

    def close(self) -> None:
        """Say goodbye in the protocol's own way, after everything that was shown."""
        ...

    def asides(self) -> int:
        """Take how much came that was no line: commands, frames, parts of lines. Turning a page is a line's worth."""
        ...

    def data_to_send(self) -> bytes:
        """Take the bytes for the client."""
        ...
