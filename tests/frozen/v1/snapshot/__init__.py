"""The sealed snapshot: a room's value as one authenticated, versioned blob. Pure."""

from tests.frozen.v1.snapshot.body import Body, Meta, SeatState, TableSchema, read_body, sections
from tests.frozen.v1.snapshot.header import BODY_FORMAT, Header
from tests.frozen.v1.snapshot.keys import KeyRing
from tests.frozen.v1.snapshot.seal import Opened, key_id_of, open_sealed, seal

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
