"""Seats: who is in the room, what was applied from them, and what they have not acknowledged."""

from __future__ import annotations

from enum import Enum

import msgspec

from perdure.room.record import End, Go, Join, Output, Refused, Text, Who
from perdure.snapshot.body import SeatState

_encode = msgspec.msgpack.Encoder().encode
_output_decoder: msgspec.msgpack.Decoder[Output] = msgspec.msgpack.Decoder(Output)
_who_decoder = msgspec.msgpack.Decoder(Who)


class Stage(Enum):
    """A seat's life. Only an open seat takes events and outputs."""

    OPEN = "open"
    LEFT = "left"
    """The player's leave was applied; stays until the gateway forgets it."""
    MOVED = "moved"
    """Closed by a go, refused or end; stays until that is acknowledged."""


class Seat:
    """A session's membership in this room.

    Attributes:
        j: The how-manieth seat of its session.
        applied: Number of the last event applied (0: the join).
        next_m: Number of the next output.
        outbox: (m, output), not yet acknowledged, by rising m.
        outbox_bytes: Of text, prompts and GMCP in it, as UTF-8.
        stage: See `Stage`.
        who: The player.
        columns, rows: Window size in characters.
        screenreader: Whether the player listens to the text.
    """

    __slots__ = ("applied", "columns", "j", "next_m", "outbox", "outbox_bytes", "rows", "screenreader", "stage", "who")

    def __init__(self, j: int, who: Who, columns: int, rows: int, screenreader: bool = False) -> None:
        self.j, self.who, self.columns, self.rows, self.screenreader = j, who, columns, rows, screenreader
        self.applied = 0
        self.next_m = 1
        self.outbox: list[tuple[int, Output]] = []
        self.outbox_bytes = 0
        self.stage = Stage.OPEN

    @classmethod
    def joined(cls, j: int, join: Join) -> Seat:
        """A fresh seat."""
        return cls(j, join.who, join.columns, join.rows, join.screenreader)

    def put(self, output: Output) -> int:
        """Append an output; go, refused and end close the seat. Returns its m."""
        m = self.next_m
        self.next_m = m + 1
        self.outbox.append((m, output))
        self.outbox_bytes += _weight(output)
        if type(output) is not Text:
            self.stage = Stage.MOVED
        return m

    def acknowledge(self, m: int) -> None:
        """Outputs up to m were shown."""
        outbox = self.outbox
        count = 0
        while count < len(outbox) and outbox[count][0] <= m:
            self.outbox_bytes -= _weight(outbox[count][1])
            count += 1
        del outbox[:count]

    def leave(self) -> None:
        """The session left: nobody will read what is in the outbox."""
        self.stage = Stage.LEFT
        self.outbox.clear()
        self.outbox_bytes = 0

    @property
    def closed(self) -> bool:
        """Whether it takes no more events and outputs."""
        return self.stage is not Stage.OPEN

    def state(self) -> SeatState:
        """As a snapshot stores it."""
        outbox = [(m, _encode(output)) for m, output in self.outbox]
        return SeatState(
            self.j,
            self.applied,
            self.next_m,
            outbox,
            self.stage.value,
            _encode(self.who),
            self.columns,
            self.rows,
            self.screenreader,
        )

    @classmethod
    def restored(cls, state: SeatState) -> Seat:
        """As a snapshot stored it."""
        seat = cls(state.j, _who_decoder.decode(state.who), state.columns, state.rows, state.screenreader)
        seat.applied, seat.next_m, seat.stage = state.applied, state.next_m, Stage(state.stage)
        seat.outbox = [(m, _output_decoder.decode(data)) for m, data in state.outbox]
        seat.outbox_bytes = sum(_weight(output) for _, output in seat.outbox)
        return seat


def through(output: Output, applied: int) -> Output:
    """`output` with the number of the last event that the closing seat takes."""
    match output:
        case Go(target=target):
            return Go(target, applied)
        case Refused(reason=reason):
            return Refused(reason, applied)
    return output


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _weight(output: Output) -> int:
    match output:
        case Text(text=text, prompt=prompt, gmcp=gmcp):
            return _bytes(text) + (_bytes(prompt) if prompt else 0) + (len(gmcp[1]) if gmcp else 0)
        case End():
            return 0
    return 1
