"""Seats: what was applied from them, and what they have not acknowledged."""

from perdure.room.record import Text, Who
from perdure.room.seats import Seat


def test_an_outbox_weighs_as_many_bytes_as_are_sent() -> None:
    """(FM-17) Its bound is one of bytes in every language, and the same after a movement."""
    seat = Seat(1, Who("a1", "Ann"), 80, 24)
    seat.put(Text("plain"))
    assert seat.outbox_bytes == 5
    seat.put(Text("Grüße 🐉"))
    assert seat.outbox_bytes == 5 + 12
    seat.put(Text("", prompt="→ "))
    seat.put(Text("", gmcp=("Char.Name", '"Жанна"'.encode())))
    assert seat.outbox_bytes == 5 + 12 + 4 + 12
    assert Seat.restored(seat.state()).outbox_bytes == seat.outbox_bytes
    seat.acknowledge(2)
    assert seat.outbox_bytes == 4 + 12
    seat.acknowledge(4)
    assert seat.outbox_bytes == 0
