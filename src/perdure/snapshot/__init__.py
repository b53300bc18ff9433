"""The sealed snapshot: a room's value as one authenticated, versioned blob. Pure."""

from perdure.snapshot.body import Body, Meta, SeatState, TableSchema, read_body, sections
from perdure.snapshot.header import BODY_FORMAT, Header
from perdure.snapshot.keys import KeyRing
from perdure.snapshot.seal import Opened, key_id_of, open_sealed, seal

__all__ = [
    "BODY_FORMAT",
    "Body",
    "Header",
    "KeyRing",
    "Meta",
    "Opened",
    "SeatState",
    "TableSchema",
    "key_id_of",
    "open_sealed",
    "read_body",
    "seal",
    "sections",
]
