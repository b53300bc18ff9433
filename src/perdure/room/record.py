"""What happens to a room, as values: causes, outputs, and the record of one callback.

A record is the journal's line about one callback. It holds everything that `Room.replay` needs to
bring the value before the callback to the value after it, so recovery runs no game code. `Room.run`
books its record in the same way: there is one place where a callback's consequences are booked.
"""

from __future__ import annotations

import hashlib

import msgspec

from perdure.snapshot.body import TableSchema

Key = str | int | tuple[str | int, ...]
"""Key of a row. Floats are refused (NaN), so is everything whose equality differs between processes."""


class Who(msgspec.Struct, array_like=True, frozen=True):
    """A player as a room knows them.

    Attributes:
        id: Stable identity: the account's id, or the session's for a guest.
        name: Shown name.
        role: player, builder or admin.
    """

    id: str
    name: str
    role: str = "player"


class Join(msgspec.Struct, tag=0, array_like=True, frozen=True):
    """Event 0 of every seat. The window's size in characters; whether the player listens to the text."""

    who: Who
    columns: int = 80
    rows: int = 24
    screenreader: bool = False


class Input(msgspec.Struct, tag=1, array_like=True, frozen=True):
    """One line that the player typed, without its line end."""

    line: str


class Resize(msgspec.Struct, tag=2, array_like=True, frozen=True):
    """The player's window has this size now, in characters; or the player listens from now on, or no longer.

    Attributes:
        anew: The player goes on from another client, which shows nothing of what was told so far.
    """

    columns: int
    rows: int
    screenreader: bool = False
    anew: bool = False


class Leave(msgspec.Struct, tag=3, array_like=True, frozen=True):
    """The session ends: the player quit, or was link-dead for too long."""

    reason: str = "quit"


EventBody = Join | Input | Resize | Leave


class Started(msgspec.Struct, tag="start", array_like=True, frozen=True):
    """The room's first callback, or the first after an ephemeral room was closed."""


class Event(msgspec.Struct, tag="event", array_like=True, frozen=True):
    """Event n of seat (session, j). Numbers: see `link`."""

    session: str
    j: int
    n: int
    body: EventBody


class Wake(msgspec.Struct, tag="wake", array_like=True, frozen=True):
    """A heartbeat tick."""


class TimerFired(msgspec.Struct, tag="timer", array_like=True, frozen=True):
    """Timer `id` is due."""

    id: str


class Answered(msgspec.Struct, tag="answer", array_like=True, frozen=True):
    """The answer to request `id`.

    Attributes:
        status: ok, error, timeout or interrupted.
        body: msgpack of the value for ok; of a message for error.
    """

    id: int
    status: str
    body: bytes = b"\xc0"


class Mailed(msgspec.Struct, tag="mail", array_like=True, frozen=True):
    """Mail `number` from another room."""

    source: str
    number: int
    body: bytes


class Gone(msgspec.Struct, tag="gone", array_like=True, frozen=True):
    """A seat ends without an event of its own.

    Attributes:
        reason: "" when its gateway forgot the session or died; else the host ends it and says why.
    """

    session: str
    j: int
    reason: str = ""


class Closed(msgspec.Struct, tag="close", array_like=True, frozen=True):
    """The room ends: an ephemeral room whose grace is over, or an operator's discard."""


class Reloaded(msgspec.Struct, tag="reload", array_like=True, frozen=True):
    """From here on the room runs other code. No game code runs in this callback, but migrations back.

    Attributes:
        generation: Of the game's code.
        schemas: table -> its schema in that code, where it is not the latest that the room knows.
    """

    generation: str
    schemas: dict[str, TableSchema] = {}


Cause = Started | Event | Wake | TimerFired | Answered | Mailed | Gone | Closed | Reloaded


class Text(msgspec.Struct, tag=0, array_like=True, frozen=True):
    """What the player's client is given: a text, the prompt from here on, or a GMCP message; one of the three.

    A program from before prompts passes over them by itself and has an empty text: docs/decisions/0013.

    Attributes:
        text: Lines that end with a newline. Control characters are the gateway's to remove.
        prompt: What stands behind the text from here on, without a newline; "" for none, None for the same.
        gmcp: (package, JSON), as in ("Char.Vitals", b'{"hp":20}').
    """

    text: str
    prompt: str | None = None
    gmcp: tuple[str, bytes] | None = None


class Go(msgspec.Struct, tag=1, array_like=True, frozen=True):
    """The player continues in another room; every event after `through` belongs to the new seat."""

    target: str
    through: int


class Refused(msgspec.Struct, tag=2, array_like=True, frozen=True):
    """The room does not take this player; the gateway brings them to the fallback room."""

    reason: str
    through: int


class End(msgspec.Struct, tag=3, array_like=True, frozen=True):
    """The room ends the player's session, for this reason."""

    reason: str


Output = Text | Go | Refused | End


class Timer(msgspec.Struct, array_like=True, frozen=True):
    """A timer as data.

    Attributes:
        due_us: When, on the room's clock, in microseconds.
        handler: Name of what to call, as the program names it.
        args: msgpack of the plain arguments.
        every_us: Interval of a repeating timer, 0 for a single shot.
    """

    due_us: int
    handler: str
    args: bytes = b"\x90"
    every_us: int = 0


class Request(msgspec.Struct, array_like=True, frozen=True):
    """A question to the outside that has no answer yet.

    Attributes:
        function: Name of the service or function, ``module:qualname``.
        args: msgpack of the plain arguments.
        then: Name of the handler that takes the answer.
        context: msgpack of plain arguments handed on to that handler.
        timeout_us: How long to wait.
        idempotent: Whether it may be asked again after a crash.
    """

    function: str
    args: bytes
    then: str
    context: bytes
    timeout_us: int
    idempotent: bool


class Record(msgspec.Struct, array_like=True):
    """One callback, done.

    Attributes:
        room, epoch, branch, c: Whose, under which ownership, which branch of history, which callback.
        now_us: `room.now` during the callback.
        cause: Why it ran.
        rows: (table, key, encoded row or None for a deletion), in the order of the tables' changes.
        outputs: (sessions, output): the same output for each of these seats, in order.
        timers: (id, timer or None for a cancellation).
        requests: (id, request) asked by the callback.
        effects: (service, body) in order; numbers follow from the value.
        faulted: "" or one line about the error; then rows, timers, requests and effects are empty.
        previous: Digest of the room's previous record; empty for the first one.
    """

    room: str
    epoch: int
    branch: int
    c: int
    now_us: int
    cause: Cause
    rows: list[tuple[str, Key, bytes | None]] = []
    outputs: list[tuple[list[str], Output]] = []
    timers: list[tuple[str, Timer | None]] = []
    requests: list[tuple[int, Request]] = []
    effects: list[tuple[str, bytes]] = []
    faulted: str = ""
    previous: bytes = b""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Record)


def encode_record(record: Record) -> bytes:
    """The record's bytes, as the journal keeps them."""
    return _encoder.encode(record)


def decode_record(data: bytes | memoryview) -> Record:
    """The record in `data`.

    Raises:
        msgspec.DecodeError: Not a record. The journal's checksum makes that a version's or a bug's doing.
    """
    return _decoder.decode(data)


def digest(data: bytes) -> bytes:
    """Link of the chain: 16 bytes of BLAKE2b over a record's bytes."""
    return hashlib.blake2b(data, digest_size=16).digest()
